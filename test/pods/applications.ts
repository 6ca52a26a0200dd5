import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";

/** Folder under clusters/ with the Applications of the home of real pods. */
export const cluster = "pods";

/** Domain of that home. */
export const domain = "home.arpa";

/** Addresses that MetalLB assigns there. */
export const pool = "10.77.0.200-10.77.0.220";

const off = { enabled: false };

/** Services whose images can be built here, and values that omit the others. docs/pods.md has the reasons. */
const services: Readonly<Record<string, object>> = {
    "cert-manager": {},
    database: {},
    gitops: { workloads: { runner: off } },
    monitoring: { workloads: { alloy: off, events: off, grafana: off, loki: off } },
    adguard: {},
    gatus: {},
    glance: {},
    syncthing: {},
};

/** Names of the services that run. */
export const running = Object.keys(services);

/** A copy of the values with others over them. */
function merged(into: unknown, from: unknown): unknown {
    if (typeof from !== "object" || from === null || typeof into !== "object" || into === null) {
        return from;
    }
    const entries = Object.entries(from).map(([key, value]) => [key, merged(Object(into)[key], value)]);
    return { ...into, ...Object.fromEntries(entries) };
}

/** Writes the folder under clusters/ of a checkout: this repository's Applications of the services that run. */
export function writeApplications(checkout: string): void {
    const folder = join(checkout, "clusters", cluster);
    mkdirSync(join(folder, "apps"), { recursive: true });
    for (const [name, values] of Object.entries(services)) {
        const application = parse(readFileSync(join(checkout, "clusters/home/apps", `${name}.yaml`), "utf8"));
        const [source] = application.spec.sources;
        if (Object.keys(values).length > 0) {
            source.helm = merged(source.helm ?? {}, { valuesObject: values });
        }
        writeFileSync(join(folder, "apps", `${name}.yaml`), stringify(application));
    }
    const kustomization = parse(readFileSync(join(checkout, "clusters/home/kustomization.yaml"), "utf8"));
    const resources = running.map((name) => `apps/${name}.yaml`);
    writeFileSync(join(folder, "kustomization.yaml"), stringify({ ...kustomization, resources }));
}
