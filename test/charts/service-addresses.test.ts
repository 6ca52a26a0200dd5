import { readFileSync } from "node:fs";
import { join } from "node:path";
import { linesOf, pages } from "../docs/pages";
import { ofKind } from "./manifest";
import { charts, chartsDirectory, renderedCharts } from "./workspace";

const rendered = renderedCharts();

/** Ports by protocol of a chart's Service with an address of the home's network; undefined where it has none. */
function portsAt(chart: string, name: string): string[] | undefined {
    const service = ofKind(rendered.get(chart) ?? [], "Service").find(({ metadata }) => metadata.name === name);
    return service?.spec?.type === "LoadBalancer"
        ? service.spec.ports?.map(({ port, protocol = "TCP" }) => `${port}/${protocol}`)
        : undefined;
}

test("a page that reads the address of a Service names the one that has an address", () => {
    const named = pages.flatMap((page) =>
        linesOf(page).flatMap((line) => {
            const [, chart = "", name = ""] = /kubectl -n (\S+) get (?:service|svc) (\S+)$/.exec(line) ?? [];
            return charts.includes(chart) ? [{ page, chart, name }] : [];
        }),
    );
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter(({ chart, name }) => portsAt(chart, name) === undefined)).toEqual([]);
});

test("the address of Syncthing in its values is open to devices of the home", () => {
    const values = readFileSync(join(chartsDirectory, "syncthing/values.yaml"), "utf8");
    const [, protocol = "", name = "", port = ""] =
        /(\w+):\/\/<address of the Service (\S+?)>:(\d+)/.exec(values) ?? [];

    expect(protocol).toBe("tcp");
    expect(portsAt("syncthing", name)).toEqual(expect.arrayContaining([`${port}/TCP`, `${port}/UDP`]));
});
