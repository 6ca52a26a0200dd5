"""Publishes the home's public services at the edge, and reports everything that the edge serves.

An Ingress with the annotation hearth/public becomes a resource in Pangolin; without it, the resource is deleted. Resources
that people make on Pangolin's pages are left alone, and reported as open without a chart. Runs in the image python, with
the standard library alone. Pangolin's API: https://docs.pangolin.net/manage/integration-api
"""

import base64
import json
import os
import re
import ssl
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

# Resources of this program; all others were created by users.
PREFIX = "hearth-"
ACCOUNT = Path(os.environ.get("ACCOUNT", "/var/run/secrets/kubernetes.io/serviceaccount"))
KEY = Path(os.environ.get("KEY_FILE", "/run/secrets/pangolin/api-key"))


@dataclass(frozen=True)
class Service:
    """A service that its chart opens."""

    id: str
    host: str
    address: str
    port: int
    login: bool


def fetch(url: str, token: str = "", method: str = "GET", body: object = None, ca: str | None = None) -> Any:
    """Sends a request and returns the JSON of the answer; an error says what the server said."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    context = ssl.create_default_context(cafile=ca) if ca else None
    try:
        with urllib.request.urlopen(request, timeout=20, context=context) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        said = error.read(2000).decode(errors="replace")
        raise RuntimeError(f"{method} {urllib.parse.urlsplit(url).path}: {error.code} {said}") from None


def declared(ingresses: dict[str, Any]) -> tuple[list[Service], set[str]]:
    """Services that charts open, and all names that charts have on the Internet."""
    services: list[Service] = []
    names: set[str] = set()
    for ingress in ingresses["items"]:
        metadata = ingress["metadata"]
        notes = metadata.get("annotations") or {}
        if "hearth/public" not in notes:
            continue
        hosts = [rule["host"] for rule in ingress["spec"].get("rules") or [] if rule.get("host")]
        names.update(hosts)
        # Pangolin's own pages are at the edge without a resource.
        address, _, port = notes.get("hearth/public-target", "").partition(":")
        for host in hosts if port else []:
            # Anything but the word is a login: a slip opens nothing.
            login = notes["hearth/public"] != "none"
            services.append(Service(PREFIX + host.replace(".", "-"), host, address, int(port), login))
    return services, names


def served(routes: dict[str, Any]) -> set[str]:
    """Names that Pangolin has the edge serve, from Traefik's configuration."""
    routers = (routes.get("http") or {}).get("routers") or {}
    return {name for each in routers.values() for name in re.findall(r"Host(?:Regexp)?\(`([^`]+)`\)", each["rule"])}


def resource(service: Service, site: str) -> dict[str, Any]:
    """A service as Pangolin's blueprint has it."""
    target = {"site": site, "hostname": service.address, "port": service.port, "method": "http"}
    login = {"sso-enabled": service.login, **({"sso-roles": ["Member"]} if service.login else {})}
    return {"name": service.host, "protocol": "http", "full-domain": service.host, "auth": login, "targets": [target]}


class Pangolin:
    """Pangolin's API, for one organization."""

    def __init__(self, api: str, organization: str, key: str) -> None:
        self.api, self.organization, self.key = api, f"{api}/org/{urllib.parse.quote(organization)}", key

    def site(self) -> str:
        """The site whose services the edge reaches by itself; made if there is none."""
        for each in fetch(f"{self.organization}/sites?page=1&pageSize=100", self.key)["data"]["sites"]:
            if each["type"] == "local":
                return each["niceId"]
        made = fetch(f"{self.organization}/site", self.key, "PUT", {"name": "Home", "type": "local"})
        return made["data"]["niceId"]

    def resources(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = len(found) // 100 + 1
            some = fetch(f"{self.organization}/resources?page={page}&pageSize=100", self.key)["data"]["resources"]
            found += some
            if len(some) < 100:
                return found

    def apply(self, name: str, wanted: dict[str, Any]) -> None:
        blueprint = json.dumps({"proxy-resources": {name: wanted}}).encode()
        fetch(f"{self.organization}/blueprint", self.key, "PUT", {"blueprint": base64.b64encode(blueprint).decode()})

    def delete(self, number: int) -> None:
        fetch(f"{self.api}/resource/{number}", self.key, "DELETE")


def publish(pangolin: Pangolin, services: list[Service], applied: dict[str, Service]) -> list[str]:
    """Creates, updates and deletes resources until they are those of the charts; returns what failed."""
    failures: list[str] = []
    present = {each["niceId"]: each for each in pangolin.resources()}
    wanted = {each.id: each for each in services}

    def attempt(what: str, done: str, change: Any) -> None:
        try:
            change()
            print(done, flush=True)
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            failures.append(f"cannot {what}: {error}")

    # Closing comes first: a failure to open leaves nothing open.
    for name, each in present.items():
        if name.startswith(PREFIX) and name not in wanted:
            applied.pop(name, None)
            host, number = each.get("fullDomain"), each["resourceId"]
            attempt(f"close {host}", f"closed {host}", lambda number=number: pangolin.delete(number))
    site = pangolin.site() if wanted else ""
    for name, service in wanted.items():
        known = present.get(name) or {}
        same = (known.get("fullDomain"), bool(known.get("sso")), known.get("enabled"))
        # The target may have been changed by hand, or by a chart while this program was down.
        if applied.get(name) != service or same != (service.host, service.login, True):

            def change(name: str = name, service: Service = service) -> None:
                pangolin.apply(name, resource(service, site))
                applied[name] = service

            login = "with a login" if service.login else "without a login"
            attempt(f"open {service.host}", f"opened {service.host} {login}", change)
    return failures


class State:
    """Result of the last comparison, as metrics."""

    text = ""

    @classmethod
    def record(cls, success: bool, names: set[str], open_names: set[str]) -> None:
        quoted = {name: name.replace("\\", "\\\\").replace('"', '\\"') for name in open_names}
        cls.text = "".join(
            [
                "# HELP hearth_publisher_success Whether Pangolin has what the charts say.\n",
                "# TYPE hearth_publisher_success gauge\n",
                f"hearth_publisher_success {int(success)}\n",
                "# HELP hearth_edge_open Names that the edge serves; declared, if a chart says so.\n",
                "# TYPE hearth_edge_open gauge\n",
                *(
                    f'hearth_edge_open{{name="{quoted[name]}",declared="{"yes" if name in names else "no"}"}} 1\n'
                    for name in sorted(open_names)
                ),
            ]
        )


def compare(applied: dict[str, Service]) -> None:
    """Compares charts, Pangolin and the edge once."""
    names: set[str] = set()
    open_names: set[str] = set()
    failures: list[str] = []
    try:
        url = f"{os.environ['KUBERNETES_API']}/apis/networking.k8s.io/v1/ingresses"
        services, names = declared(fetch(url, (ACCOUNT / "token").read_text(), ca=str(ACCOUNT / "ca.crt")))
        open_names = served(fetch(os.environ["EDGE_ROUTES"]))
        key = KEY.read_text().strip() if KEY.exists() else ""
        if key:
            pangolin = Pangolin(os.environ["PANGOLIN_API"], os.environ["ORGANIZATION"], key)
            failures = publish(pangolin, services, applied)
        elif services:
            failures = [f"{services[0].host} is not open yet: set the secret pangolin.api-key (docs/expose.md)"]
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        failures.append(str(error))
    for failure in failures:
        print(failure, file=sys.stderr, flush=True)
    State.record(not failures, names, open_names)


class Handler(BaseHTTPRequestHandler):
    """Serves the metrics."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(State.text.encode())

    def log_message(self, *_: object) -> None:
        """Nothing: Prometheus asks every minute."""


def main() -> None:
    applied: dict[str, Service] = {}
    if sys.argv[1:] == ["once"]:
        compare(applied)
        print(State.text, end="")
        return
    server = ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pause = threading.Event()
    while True:
        compare(applied)
        pause.wait(30)


if __name__ == "__main__":
    main()
