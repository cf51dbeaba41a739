// What pages gain when scripts run. Every form and link works without it; nothing here knows more than the page says.
// Elements say what they want by data attributes, so that parts which htmx swaps in need no wiring.

const root = document.documentElement;
const each = (selector, act, within = document) => within.querySelectorAll(selector).forEach(act);

// Things that only a script can do are shown only where one runs.
const reveal = (within) => each("[data-palette], [data-theme-toggle], [data-copy], [data-generate], [data-reveal], [data-only-script]", (element) => (element.hidden = false), within);

/* Clicks */

const actions = {
  themeToggle() {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("tidings-theme", root.dataset.theme);
  },
  palette: () => openPalette(),
  toggle(button) {
    const target = document.getElementById(button.dataset.toggle);
    button.setAttribute("aria-expanded", String(target.classList.toggle("open")));
  },
  async copy(button) {
    const source = document.getElementById(button.dataset.copy);
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    say(button, "Copied");
  },
  reveal(button) {
    const field = document.getElementById(button.dataset.reveal);
    field.type = field.type === "password" ? "text" : "password";
    button.setAttribute("aria-pressed", String(field.type === "text"));
  },
  generate(button) {
    const field = document.getElementById(button.dataset.generate);
    const bytes = crypto.getRandomValues(new Uint8Array(24));
    field.value = "whsec_" + btoa(String.fromCharCode(...bytes));
    field.type = "text";
    field.dispatchEvent(new Event("input", { bubbles: true }));
  },
  addRow(button) {
    const list = document.getElementById(button.dataset.addRow);
    const row = document.getElementById(button.dataset.template).content.cloneNode(true);
    list.append(row);
    list.lastElementChild.querySelector("input")?.focus();
  },
  removeRow(button) {
    button.closest("[data-row]").remove();
  },
};

// Says something on a button for a moment, and to screen readers.
const say = (button, word) => {
  if (button.textContent === word) return;
  const before = button.innerHTML;
  button.textContent = word;
  button.setAttribute("aria-live", "polite");
  setTimeout(() => (button.innerHTML = before), 1500);
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  const action = button && Object.keys(actions).find((name) => name in button.dataset);
  if (action) actions[action](button);
  // A menu closes when somebody clicks beside it.
  each("details.menu[open], details.switcher[open]", (menu) => menu.contains(event.target) || (menu.open = false));
});

document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

// htmx asks its own way.
document.addEventListener("htmx:confirm", (event) => {
  const question = event.target.dataset?.confirm;
  if (!question) return;
  event.preventDefault();
  if (confirm(question)) event.detail.issueRequest(true);
});

/* When a part cannot be had, the page stays and says why */

const tell = (sentence) => {
  const main = document.getElementById("content");
  const note = main.querySelector("[data-told]") ?? document.createElement("div");
  note.className = "note bad";
  note.dataset.told = "";
  note.setAttribute("role", "alert");
  note.textContent = sentence;
  main.prepend(note);
  note.scrollIntoView({ block: "nearest" });
};

document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, elt } = event.detail;
  const wanted = elt.closest("[hx-select]")?.getAttribute("hx-select");
  const page = wanted && xhr.status >= 400 && new DOMParser().parseFromString(xhr.responseText, "text/html");
  if (!page || page.querySelector(wanted)) return;
  event.detail.shouldSwap = false;
  tell(page.querySelector("main h1 + p")?.textContent ?? `The server answered ${xhr.status}; nothing was changed here.`);
});
document.addEventListener("htmx:sendError", () => tell("The server does not answer; what is shown here is from before. Try again."));
document.addEventListener("htmx:sseError", () => each(".live-dot", (dot) => (dot.textContent = "Live (trying again)")));
document.addEventListener("htmx:sseOpen", () => each(".live-dot", (dot) => (dot.textContent = "Live")));
document.addEventListener("htmx:afterRequest", ({ detail }) => detail.successful && document.querySelector("[data-told]")?.remove());

// Addresses say only what is asked for.
document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (detail.verb !== "get" || !detail.elt.matches("form.filters")) return;
  for (const [name, value] of [...detail.formData]) if (value === "") detail.formData.delete(name);
});

/* The picker of events: search, whole categories, a running count */

const count = (picker) => {
  const whole = new Set([...picker.querySelectorAll("[data-whole]:checked")].map((box) => box.value));
  let events = 0;
  each("[data-event]", (box) => {
    const covered = whole.has("*") || whole.has(box.dataset.event);
    box.disabled = covered;
    if (box.checked || covered) events += 1;
  }, picker);
  each("[data-whole]", (box) => box.value !== "*" && (box.disabled = whole.has("*")), picker);
  each("[data-count]", (place) => (place.textContent = events === 1 ? "1 event chosen" : `${events} events chosen`), picker);
};

const narrow = (picker, text) => {
  const wanted = text.trim().toLowerCase();
  each("[data-words]", (row) => (row.hidden = !row.dataset.words.toLowerCase().includes(wanted)), picker);
  each("[data-group]", (group) => (group.hidden = !group.querySelector("[data-words]:not([hidden])")), picker);
  const none = picker.querySelector("[data-nothing]");
  if (none) none.hidden = Boolean(picker.querySelector("[data-group]:not([hidden])"));
};

/* JSON that is being edited: what is wrong, and in which line */

// What the browser says of a text that is not JSON; nothing of one that is.
const complaint = (text) => {
  try {
    JSON.parse(text);
    return "";
  } catch ({ message }) {
    return message;
  }
};

// Where it says that it is. Chromium does not say it of a token: that stands at the end of the shortest beginning with the same fault.
const placeOf = (text, message) => {
  const told = / at position (\d+)/.exec(message);
  if (told || !message.startsWith("Unexpected token")) return told && Number(told[1]);
  let [good, bad] = [0, text.length];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (complaint(text.slice(0, middle)).startsWith("Unexpected token")) bad = middle;
    else good = middle;
  }
  return good;
};

const faultOf = (text) => {
  const message = complaint(text);
  if (!message) return "";
  const why = message.replace(/^JSON[. ]parse( error)?: /i, "").replace(/( in JSON)? at (position|line) .*|, (\.\.\.)?".*/s, "");
  const place = placeOf(text, message);
  const line = / at line (\d+)/.exec(message)?.[1] ?? (place !== null && text.slice(0, place).split("\n").length);
  return line ? `Line ${line}: ${why}` : why;
};

const lint = (area) => {
  const place = document.getElementById(area.dataset.json);
  if (!place) return;
  const wrong = area.value.trim() ? faultOf(area.value) : "";
  place.textContent = wrong;
  area.setAttribute("aria-invalid", String(Boolean(wrong)));
};

// Searching among the events is not being done with choosing them.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches("[data-narrow]")) event.preventDefault();
});

document.addEventListener("input", (event) => {
  const { target } = event;
  if (target.dataset.json) lint(target);
  const picker = target.closest("[data-picker]");
  if (picker) target.matches("[data-narrow]") ? narrow(picker, target.value) : count(picker);
});

/* The command palette: every place that the page links to, one key away */

const palette = document.getElementById("palette");
let places = [];

const drawPalette = () => {
  const wanted = palette.querySelector("input").value.trim().toLowerCase();
  const list = palette.querySelector("ul");
  list.replaceChildren(...places.filter((place) => place.words.toLowerCase().includes(wanted)).slice(0, 12).map((place, index) => {
    const item = document.createElement("li");
    item.id = `place-${index}`;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", String(index === 0));
    item.dataset.href = place.href;
    item.textContent = place.words;
    return item;
  }));
  palette.querySelector("input").setAttribute("aria-activedescendant", list.firstElementChild ? "place-0" : "");
};

const openPalette = () => {
  if (!palette || palette.open) return;
  const links = document.querySelectorAll(".rail a[href], main a[href]");
  const known = new Map();
  // The first link to a place names it: menus lead to the same places in fewer words.
  for (const link of links) {
    const href = link.getAttribute("href");
    if (!known.has(href)) known.set(href, link.textContent.trim().replace(/\s+/g, " "));
  }
  places = [...known].filter(([, words]) => words).map(([href, words]) => ({ href, words }));
  palette.querySelector("input").value = "";
  drawPalette();
  palette.showModal();
};

palette?.addEventListener("input", drawPalette);
palette?.addEventListener("click", (event) => {
  const item = event.target.closest("li");
  if (item) location.href = item.dataset.href;
  else if (event.target === palette) palette.close();
});
palette?.addEventListener("keydown", (event) => {
  const items = [...palette.querySelectorAll("li")];
  const here = items.findIndex((item) => item.getAttribute("aria-selected") === "true");
  if (event.key === "Enter" && items[here]) location.href = items[here].dataset.href;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !items.length) return;
  event.preventDefault();
  const next = (here + step + items.length) % items.length;
  items.forEach((item, index) => item.setAttribute("aria-selected", String(index === next)));
  items[next].scrollIntoView({ block: "nearest" });
  palette.querySelector("input").setAttribute("aria-activedescendant", items[next].id);
});

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openPalette();
  }
  if (event.key === "Escape") each("details.menu[open], details.switcher[open]", (menu) => (menu.open = false));
});

/* Live pages: a stream that ends because somebody goes elsewhere is no error */

if (window.htmx) {
  window.htmx.createEventSource = (address) => {
    const source = new EventSource(address);
    // The second for one that begins while somebody is leaving already.
    for (const leaving of ["beforeunload", "pagehide"]) addEventListener(leaving, () => source.close());
    // Without its event, which says nothing, and which htmx would write on the console: the page itself says that it tries again.
    Object.defineProperty(source, "onerror", { set: (told) => source.addEventListener("error", () => told()) });
    return source;
  };
}

/* Now, and whenever a part is swapped in */

const wire = (within) => {
  reveal(within);
  each("[data-picker]", count, within);
  // What the server said of it stays until somebody edits.
  each("[data-json]", (area) => document.getElementById(area.dataset.json)?.textContent || lint(area), within);
};
// A field whose words were swapped in is marked, or not any more.
document.addEventListener("htmx:afterSwap", ({ target }) => {
  if (!target.matches(".wrong")) return;
  each(`[aria-describedby~="${target.id}"]`, (field) => field.setAttribute("aria-invalid", String(Boolean(target.textContent.trim()))));
});
document.addEventListener("htmx:afterSwap", (event) => wire(event.target.parentElement ?? document));
wire(document);
