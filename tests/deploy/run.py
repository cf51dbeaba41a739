#!/usr/bin/env python3
"""Holds the files in deploy/ to what reads them, to each other and to the program.

    python run.py

Nothing is deployed: charts are rendered and held to Kubernetes' schemas, the compose file is loaded as docker does, the unit is read by systemd, and what
the image asks of its binary is asked of the one in TIDINGS_BIN. What cannot be checked on a machine is said, and not counted.
"""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm/tidings"
CONTAINERFILE = DEPLOY / "container/Containerfile"
UNIT = DEPLOY / "systemd/tidings.service"
BINARY = ROOT / os.environ.get("TIDINGS_BIN", "target/debug/tidings")
TOOLS = Path(sys.executable).parent
KEY = base64.b64encode(bytes(range(32))).decode()
DATABASE = "postgres://tidings@database.example.com:5432/tidings"
# Kubernetes that the chart says it works with at least, and the newest that there are schemas of.
KUBERNETES = ["1.25", "1.37"]
# systemd's own figure for how exposed a service is, times ten.
EXPOSURE_MAX = 15
# Oldest systemd that knows all that the unit says and can judge it without running it.
SYSTEMD_MIN = 250
START_SECONDS_MAX = 30

CHECKS = []


def check(function):
    """Counts a function as a check; its name says what holds."""
    CHECKS.append(function)
    return function


def run(*command, cwd=ROOT, env=None, **options):
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, env={**os.environ, **(env or {})}, text=True, capture_output=True, check=False, **options
    )


def must(*command, **options):
    """What a command prints that has to succeed."""
    done = run(*command, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def deployed_files():
    """The files of deploy/ that the repository has or is about to have."""
    listed = must("git", "ls-files", "--cached", "--others", "--exclude-standard", "deploy").splitlines()
    return {name: read(name) for name in listed if (ROOT / name).is_file()}


def cargo_says(key):
    return re.search(rf'^{key} = "([^"]+)"', read("Cargo.toml"), re.MULTILINE).group(1)


# The image.


@check
def the_containerfile_is_as_hadolint_wants_it():
    must(TOOLS / "hadolint", "--failure-threshold", "info", CONTAINERFILE)


@check
def the_image_is_of_the_rust_and_the_version_that_cargo_names():
    text = CONTAINERFILE.read_text(encoding="utf-8")
    assert f"ARG RUST_VERSION={cargo_says('rust-version')}\n" in text, "RUST_VERSION is not rust-version of Cargo.toml"
    assert "\nSTOPSIGNAL SIGTERM\n" in text and re.search(r"^USER \d+:\d+$", text, re.MULTILINE), "the image needs SIGTERM and a user by number"


@check
def what_the_image_asks_of_its_server_is_answered_while_it_serves():
    text = CONTAINERFILE.read_text(encoding="utf-8")
    settings = dict(pair.split("=", 1) for line in re.findall(r"^ENV (.*)$", text, re.MULTILINE) for pair in line.split())
    health = json.loads(re.search(r"^HEALTHCHECK .* CMD (\[.*\])$", text, re.MULTILINE).group(1))
    serve = json.loads(re.search(r"^ENTRYPOINT (.*)$", text, re.MULTILINE).group(1)) + json.loads(re.search(r"^CMD (.*)$", text, re.MULTILINE).group(1))
    with tempfile.TemporaryDirectory() as folder:
        # As in the image, but in a folder of this test, and where nobody else listens.
        env = {**settings, "TIDINGS_DATA": f"{folder}/tidings", "TIDINGS_LISTEN": "127.0.0.1:0", "TIDINGS_MASTER_KEY": KEY}
        asked = lambda: run(BINARY, *health[1:], cwd=folder, env=env).returncode
        assert asked() == 69, "nobody serves yet"
        with subprocess.Popen([BINARY, *serve[1:]], cwd=folder, env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            try:
                give_up = time.monotonic() + START_SECONDS_MAX
                while (status := asked()) != 0:
                    assert server.poll() is None and time.monotonic() < give_up, f"the server does not answer: {status}"
            finally:
                server.send_signal(signal.SIGTERM)
            assert server.wait(START_SECONDS_MAX) == 0, "SIGTERM stops it in order"
        assert asked() == 69, "nobody serves any more"


# The compose file.


def composed(folder, env):
    """The compose file as docker reads it, beside the secrets that the README makes."""
    shutil.copytree(DEPLOY / "compose", folder / "deploy/compose", ignore=shutil.ignore_patterns(".env", "secrets"), dirs_exist_ok=True)
    secrets = folder / "deploy/compose/secrets"
    secrets.mkdir(exist_ok=True)
    (secrets / "database-password").write_text("secret", encoding="utf-8")
    (secrets.parent / ".env").write_text(env, encoding="utf-8")
    return run(TOOLS / "compose", "compose.yaml", cwd=secrets.parent)


@check
def the_compose_file_loads_and_nothing_waits_for_what_has_no_health():
    with tempfile.TemporaryDirectory() as folder:
        loaded = composed(Path(folder), f"TIDINGS_MASTER_KEY={KEY}\n")
    assert loaded.returncode == 0, loaded.stderr
    services = json.loads(loaded.stdout)["services"]
    nodes = {name for name, service in services.items() if service.get("image", "").startswith("tidings:")}
    assert nodes == {"node-1", "node-2"}, nodes
    for name, service in services.items():
        assert service["restart"] == "unless-stopped", f"{name} is not started again"
        for other, how in service.get("depends_on", {}).items():
            assert how["condition"] == "service_healthy", f"{name} does not wait until {other} is healthy"
            assert other in nodes or "healthcheck" in services[other], f"{other} has no health check"
    proxied = (DEPLOY / "compose/Caddyfile").read_text(encoding="utf-8")
    for name in nodes:
        node = services[name]
        assert node["read_only"] and node["cap_drop"] == ["ALL"], f"{name} may more than it needs"
        assert node["environment"]["TIDINGS_MASTER_KEY"] == KEY and "database-password" in str(node["secrets"])
        assert f"{name}:8080" in proxied, f"the proxy does not know {name}"


@check
def the_compose_file_asks_for_the_master_key():
    with tempfile.TemporaryDirectory() as folder:
        refused = composed(Path(folder), (DEPLOY / "compose/.env.example").read_text(encoding="utf-8"))
    assert refused.returncode != 0 and "TIDINGS_MASTER_KEY" in refused.stderr, refused.stdout


def the_proxys_configuration_is_one():
    must(TOOLS / "caddy", "validate", "--adapter", "caddyfile", "--config", DEPLOY / "compose/Caddyfile", env={"HOME": tempfile.gettempdir()})


# The chart.

BASE = {"masterKey.value": KEY}
ALL = {
    "networkPolicy.enabled": "true",
    "serviceMonitor.enabled": "true",
    "ingress.enabled": "true",
    "ingress.host": "tidings.example.com",
    "ingress.className": "nginx",
    "ingress.tlsSecret": "tidings-tls",
    "egressAllow": "{10.20.0.0/16}",
    "publicUrl": "https://tidings.example.com",
    "bootstrap.existingSecret": "tidings-first",
    "extraEnv[0].name": "TIDINGS_MAX_CONNECTIONS",
    "extraEnv[0].value": "8192",
    "podLabels.team": "events",
    "podAnnotations.note": "one",
    "priorityClassName": "high",
    "tolerations[0].operator": "Exists",
    "nodeSelector.kind": "compute",
    "imagePullSecrets[0].name": "registry",
    "networkPolicy.from[0].podSelector.matchLabels.app": "proxy",
    "networkPolicy.databaseTo[0].ipBlock.cidr": "10.1.2.3/32",
    "service.annotations.note": "two",
    "serviceMonitor.labels.release": "prometheus",
}
CASES = {
    "a node with its own data": {**BASE, "replicas": "1"},
    "a node with its own data, and everything": {**BASE, **ALL, "replicas": "1", "persistence.storageClass": "fast"},
    "nodes beside a database": {**BASE, "database.url": DATABASE, "database.password": "secret"},
    "nodes beside a database, and everything": {
        **ALL,
        "masterKey.existingSecret": "keys",
        "database.url": DATABASE,
        "database.existingSecret": "keys",
        "database.caConfigMap": "database-ca",
    },
}
REFUSED = {
    "replicas is more than 1": {**BASE, "replicas": "2"},
    "there is no master key": {"replicas": "1"},
    "masterKey.value and masterKey.existingSecret": {**BASE, "masterKey.existingSecret": "keys", "replicas": "1"},
    "database.url holds a password": {**BASE, "database.url": "postgres://tidings:secret@database/tidings"},
    "database.password and database.existingSecret": {**BASE, "database.url": DATABASE, "database.password": "a", "database.existingSecret": "b"},
    "ingress.host is empty": {**BASE, "replicas": "1", "ingress.enabled": "true"},
    "additional properties 'replica' not allowed": {**BASE, "replica": "1"},
    "/masterKey/value": {"masterKey.value": "short", "replicas": "1"},
}


def helm(*arguments, values):
    # What a variable holds is a text, also where it looks like a number.
    said = [part for name, value in values.items() for part in ("--set-string" if "nv[" in name else "--set", f"{name}={value}")]
    with tempfile.TemporaryDirectory() as home:
        return run(TOOLS / "helm", *arguments, *said, env={"HOME": home, "HELM_CACHE_HOME": home, "HELM_CONFIG_HOME": home, "HELM_DATA_HOME": home})


def rendered(values, chart=CHART, kubernetes=KUBERNETES[-1]):
    done = helm("template", "events", chart, "--kube-version", kubernetes, values=values)
    assert done.returncode == 0, done.stderr
    return done.stdout


def of_kind(kind, text):
    return [made for made in yaml.safe_load_all(text) if made and made["kind"] == kind]


@check
def the_chart_is_as_helm_wants_it():
    for name, values in CASES.items():
        done = helm("lint", "--strict", CHART, values=values)
        assert done.returncode == 0, f"{name}:\n{done.stdout}{done.stderr}"


@check
def what_the_chart_makes_is_what_kubernetes_reads():
    unknown = set()
    for name, values in CASES.items():
        for version in KUBERNETES:
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                file.write(rendered(values, kubernetes=version))
                file.flush()
                done = run(TOOLS / "kubernetes-validate", "--strict", "-k", version, file.name)
                assert done.returncode == 0, f"{name}, Kubernetes {version}:\n{done.stdout}{done.stderr}"
                unknown.update(re.findall(r"find schema for kind (\w+)", done.stdout + done.stderr))
    assert unknown <= {"ServiceMonitor"}, f"no schema of {unknown}"


@check
def nodes_beside_a_database_are_replaced_one_by_one_and_have_time_to_stop():
    for name, values in CASES.items():
        text = rendered(values)
        beside = "database.url" in values
        made = of_kind("Deployment" if beside else "StatefulSet", text)
        assert len(made) == 1 and not of_kind("StatefulSet" if beside else "Deployment", text), name
        assert bool(of_kind("PodDisruptionBudget", text)) == beside, name
        if beside:
            assert made[0]["spec"]["replicas"] == 2 and made[0]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0, name
        pod = made[0]["spec"]["template"]["spec"]
        node = pod["containers"][0]
        env = {each["name"]: each.get("value") for each in node["env"]}
        drain = int(node["lifecycle"]["preStop"]["exec"]["command"][1])
        assert pod["terminationGracePeriodSeconds"] > drain + int(env["TIDINGS_SHUTDOWN_GRACE_SECONDS"]), name
        assert ("TIDINGS_DATABASE" in env) == beside, name
        assert node["securityContext"]["readOnlyRootFilesystem"] and node["securityContext"]["capabilities"]["drop"] == ["ALL"], name
        assert pod["securityContext"]["runAsNonRoot"] and pod["enableServiceLinks"] is False, name
        user = re.search(r"^USER (\d+):(\d+)$", CONTAINERFILE.read_text(encoding="utf-8"), re.MULTILINE).groups()
        assert (str(pod["securityContext"]["runAsUser"]), str(pod["securityContext"]["fsGroup"])) == user, name
        assert node["image"] == f"tidings:{cargo_says('version')}", name
        mounted = {mount["name"] for mount in node["volumeMounts"]}
        there = {volume["name"] for volume in pod.get("volumes") or []}
        there.update(claim["metadata"]["name"] for claim in made[0]["spec"].get("volumeClaimTemplates", []))
        assert mounted == there, f"{name}: mounted {mounted}, there {there}"


@check
def a_secret_is_in_a_secret_and_nowhere_else():
    for name, values in CASES.items():
        text = rendered(values)
        others = yaml.safe_dump([made for made in yaml.safe_load_all(text) if made and made["kind"] != "Secret"])
        assert KEY not in others and "secret@" not in others, name
        assert bool(of_kind("Secret", text)) == ("masterKey.value" in values), name


@check
def what_cannot_be_right_the_chart_refuses_in_words():
    for words, values in REFUSED.items():
        done = helm("template", "events", CHART, values=values)
        assert done.returncode != 0 and words in done.stderr, f"{words}:\n{done.stderr or 'it was rendered'}"


@check
def the_notes_of_the_chart_name_what_was_made():
    with tempfile.TemporaryDirectory() as folder:
        # Notes are shown by an installation alone, which needs a cluster: here they are put into something that is rendered.
        chart = shutil.copytree(CHART, Path(folder) / "tidings")
        (chart / "templates/NOTES.txt").rename(chart / "notes.txt")
        (chart / "templates/notes.yaml").write_text('{kind: Notes, text: {{ tpl (.Files.Get "notes.txt") . | toJson }}}\n', encoding="utf-8")
        for name, values in CASES.items():
            [notes] = of_kind("Notes", rendered(values, chart))
            kind = "deployment" if "database.url" in values else "statefulset"
            assert f"rollout status {kind}/events-tidings\n" in notes["text"], f"{name}:\n{notes['text']}"
            assert ("First start" in notes["text"]) == ("bootstrap.existingSecret" not in values), name


# The unit.


def systemd_version():
    return int(must("systemd-analyze", "--version").split()[1])


def the_unit_is_as_systemd_wants_it_and_little_exposed():
    with tempfile.TemporaryDirectory() as folder:
        unit = Path(folder) / UNIT.name
        unit.write_text(UNIT.read_text(encoding="utf-8").replace("/usr/local/bin/tidings", str(BINARY)), encoding="utf-8")
        for beside in [False, True]:
            if beside:
                more = Path(f"{unit}.d")
                more.mkdir()
                shutil.copy(DEPLOY / "systemd/database.conf", more)
            done = run("systemd-analyze", "verify", unit, env={"SYSTEMD_UNIT_PATH": f"{folder}:"})
            # Of other units of this machine it may say what it likes.
            assert done.returncode == 0 and UNIT.name not in done.stderr, done.stderr
        must("systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE_MAX}", unit)


@check
def the_unit_gives_the_server_time_to_stop_and_does_not_start_what_no_start_mends():
    unit = UNIT.read_text(encoding="utf-8")
    grace = re.search(r"TIDINGS_SHUTDOWN_GRACE_SECONDS` · default: (\d+)", read("docs/reference/config.md")).group(1)
    assert int(re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE).group(1)) > int(grace)
    statuses = set(re.findall(r"^  (\d+) +\S", read("docs/reference/cli.md"), re.MULTILINE))
    given_up = re.search(r"^RestartPreventExitStatus=(.*)$", unit, re.MULTILINE).group(1).split()
    assert given_up and set(given_up) <= statuses, f"{set(given_up) - statuses} is no status of tidings --help"


# All of them.


@check
def yaml_is_written_well():
    files = [name for name in deployed_files() if name.endswith((".yaml", ".yml")) and "/templates/" not in name]
    rules = "{extends: default, rules: {line-length: {max: 160}, document-start: disable, braces: {max-spaces-inside: 0}, comments: disable, truthy: disable}}"
    must(TOOLS / "yamllint", "--strict", "--config-data", rules, *files)


@check
def every_version_is_that_of_cargo():
    version = cargo_says("version")
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert (chart["version"], chart["appVersion"]) == (version, version), "Chart.yaml names another version than Cargo.toml"
    found = 0
    for name, text in deployed_files().items():
        for said in re.findall(r'(?:\btidings:|image\.version="|image\.tag=)(\d+\.\d+\.\d+[\w.-]*)', text):
            assert said == version, f"{name} names {said}, Cargo.toml {version}"
            found += 1
    assert found > 3, "no file names a version of the image"


@check
def every_setting_and_flag_is_one_of_the_program():
    settings = set(re.findall(r"`(TIDINGS_[A-Z_]+)`", read("docs/reference/config.md"))) | {"TIDINGS_CONFIG"}
    commands = read("docs/reference/cli.md")
    flags = set(re.findall(r"--[a-z][a-z-]+", commands))
    names = set(re.findall(r"^## tidings ([a-z-]+)", commands, re.MULTILINE))
    wrong, found = [], 0
    for name, text in deployed_files().items():
        for said in re.findall(r"TIDINGS_[A-Z_]+", text):
            found += 1
            if said not in settings:
                wrong.append(f"{name}: {said} is no setting of docs/reference/config.md")
        # A call as a shell, a unit or a list of words has it.
        for command, rest in re.findall(r"\btidings (?!tidings\b)([a-z-]+)([^\n;|&`]*)", re.sub(r'[",\[\]]+ *', " ", text).replace("  ", " ")):
            if command in names:
                wrong += [f"{name}: {flag} is no flag of docs/reference/cli.md" for flag in re.findall(r"--[a-z][a-z-]+", rest) if flag not in flags]
    assert found > 20, "deploy/ names no setting"
    assert not wrong, "\n".join(sorted(set(wrong)))


def main():
    checks = list(CHECKS)
    if (TOOLS / "caddy").exists():
        checks.append(the_proxys_configuration_is_one)
    else:
        print("deploy: not checked: deploy/compose/Caddyfile, because this distribution has no caddy")
    if (version := systemd_version()) >= SYSTEMD_MIN:
        checks.append(the_unit_is_as_systemd_wants_it_and_little_exposed)
    else:
        print(f"deploy: not checked: the unit by systemd-analyze, because this is systemd {version}, and it needs {SYSTEMD_MIN}")
    failed = 0
    for each in checks:
        name = each.__name__.replace("_", " ")
        try:
            each()
            print(f"ok      {name}")
        except Exception as error:
            failed += 1
            print(f"FAILED  {name}")
            print("\n".join(f"        {line}" for line in (str(error) or traceback.format_exc()).splitlines()))
    print(f"deploy: {len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
