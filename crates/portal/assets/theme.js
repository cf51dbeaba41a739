// Runs before the page is drawn, so that a chosen theme does not flash.
document.documentElement.classList.add("js");
const chosen = localStorage.getItem("tidings-theme");
if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
