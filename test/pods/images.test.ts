import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { findOnPath } from "../../lib/paths";
import { run } from "../../lib/run";
import type { Closeable } from "../../sandbox/http-server";
import { makeImages, versionLabel } from "../../sandbox/images/make";
import { type Recipe, recipes } from "../../sandbox/images/recipes";
import { serveImages } from "../../sandbox/images/registry";
import { aptGetInstall } from "../../toolchain/apt-get";
import { type Manifest, type Workload, workloads } from "../charts/manifest";
import { renderSystem } from "../charts/system";
import { renderedCharts } from "../charts/workspace";
import { account, Pod, PulledImages } from "./pod";

const rendered = renderedCharts();

/** Splits registry.example/repository:tag. */
function reference(image: string) {
    const [repository = "", tag = ""] = image.split(/:(?=[^/]+$)/);
    return { repository, tag };
}

const recipeOf = (image: string) => recipes.find((each) => each.repositories.includes(reference(image).repository));

const all = ({ template: { spec } }: Workload) => [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];

/** Programs that need an API server. */
const clients = [/kubectl:/, /gatus-sidecar:/, /kube-state-metrics:/];

const isClient = (image = "") => clients.some((each) => each.test(image));

interface Case {
    readonly chart: string;
    readonly workload: Workload;
    readonly without: readonly string[];
}

/** Containers that wait for the Internet or another pod, which are missing here. */
const alone = new Map([["pangolin/pangolin/traefik", "it downloads its plugins at the start"]]);

/** Every workload of a chart with a container that can run here, without those that cannot. */
const cases: Case[] = [...rendered].flatMap(([chart, manifests]) =>
    workloads(manifests)
        // A Job needs another pod.
        .filter(({ ends }) => !ends)
        .map((workload) => ({
            chart,
            workload,
            without: all(workload)
                .filter(
                    ({ name, image = "" }) =>
                        !recipeOf(image) || isClient(image) || alone.has(`${chart}/${workload.name}/${name}`),
                )
                .map(({ name }) => name),
        }))
        .filter(({ workload, without }) =>
            workload.template.spec?.containers.some(({ name }) => !without.includes(name)),
        ),
);

/** Facts about upstream's images from images.yaml. */
const facts = parse(readFileSync(join(__dirname, "../charts/images.yaml"), "utf8"), { merge: true }) as Record<
    string,
    { readonly user: string; readonly entrypoint: string[]; readonly fileCapabilities?: string[] }
>;

/** Names of the file capabilities of a program. */
async function capabilitiesOf(path: string): Promise<string[]> {
    const { output } = await run("getcap", [path]);
    return [...output.matchAll(/cap_([a-z_]+)/g)].map(([, name = ""]) => name.toUpperCase());
}

/** Every image of the charts. */
const used = [...rendered.values()].flatMap((each) =>
    workloads(each)
        .flatMap(all)
        .map(({ image = "" }) => image),
);

const wanted = process.env["HEARTH_IMAGES"];
const chosen = recipes.filter(
    (each) => wanted === undefined || each.repositories.some((name) => new RegExp(wanted).test(name)),
);

let registry: (Closeable & { port: number }) | undefined;
let images: PulledImages;

beforeAll(async () => {
    if (!findOnPath("runc")) {
        await aptGetInstall("runc", "It runs the containers of this suite.", ["runc"]);
    }
    registry = await serveImages(await makeImages(chosen), "127.0.0.1");
    images = new PulledImages(`localhost:${registry.port}`);
}, 600_000);

/** Differences from the charts: another version, or parts that upstream's image has. */
const differences = new Set<string>();

afterAll(async () => {
    process.stderr.write([...differences].map((line) => `${line}\n`).join(""));
    images?.remove();
    await registry?.close();
});

function secret(chart: string) {
    const { secrets = {} } = parse(readFileSync(join(__dirname, `../../charts/${chart}/secrets.yaml`), "utf8")) as {
        secrets?: Record<string, unknown>;
    };
    const values = Object.fromEntries(Object.keys(secrets).map((key) => [key, password]));
    return (name: string, key: string | undefined) => {
        if (name !== `${chart}-secrets` || (key !== undefined && !(key in values))) {
            throw new Error(`no Secret ${name} with a key ${key}`);
        }
        return values;
    };
}

const password = "0123456789abcdef0123456789abcdef";

/** A user's first action with a service, by chart and workload. */
const firstUse: Readonly<Record<string, (pod: Pod) => Promise<void>>> = {
    "database/postgres": async (pod) => {
        const query = ["psql", "--username=postgres", "--host=127.0.0.1", "--tuples-only", "--command=SELECT 6 * 7"];
        expect(await pod.exec("postgres", ...query)).toContain("42");
        expect(await pod.fetch("9187/metrics")).toMatch(/^pg_up 1$/m);
    },
    "gitops/gitea": async (pod) => {
        expect(await pod.fetch("3000/api/v1/user")).toMatch(/^401 /);
        expect(await pod.fetch("3000/api/v1/user", "--user", `hearth:${password}`)).toMatch(/^200 .*"is_admin":true/);
    },
    "qbittorrent/qbittorrent": async (pod) => {
        expect(await pod.fetch("8080/api/v2/app/version")).toMatch(/^403 /);
        const login = ["--data-urlencode", "username=admin", "--data-urlencode"];
        expect(await pod.fetch("8080/api/v2/auth/login", ...login, "password=wrong")).toMatch(/Fails/);
        expect(await pod.fetch("8080/api/v2/auth/login", ...login, `password=${password}`)).toMatch(/^200 Ok/);
    },
    "syncthing/syncthing": async (pod) => {
        expect(await pod.fetch("8384/rest/system/status")).toMatch(/^403 /);
        expect(await pod.fetch("8384/rest/system/status", "--header", `X-API-Key: ${password}`)).toMatch(
            /^200 .*"myID"/s,
        );
    },
};

describe("an image built here", () => {
    it.each(chosen.map((each) => [each.repositories[0] ?? "", each] as const))(
        "is pulled as %s",
        async (name, recipe: Recipe) => {
            const image = await images.pull(`${name}:latest`);
            const { config } = image;
            const made = config.Labels?.[versionLabel] ?? "";
            for (const each of used.filter(
                (other) => recipeOf(other) === recipe && !reference(other).tag.includes(made),
            )) {
                differences.add(`${each} is ${made} here`);
            }
            if (recipe.differs) {
                differences.add(`${name}: ${recipe.differs}`);
            }
            const known = recipe.repositories.flatMap((each) => facts[each] ?? []);
            for (const { user, entrypoint, fileCapabilities = [] } of known) {
                expect({
                    user: account(image),
                    entrypoint: config.Entrypoint ?? [],
                    fileCapabilities: await capabilitiesOf(join(image.rootfs, config.Entrypoint?.[0] ?? "")),
                }).toEqual({ user: account({ ...image, config: { User: user } }), entrypoint, fileCapabilities });
            }
        },
    );
});

describe("a workload starts under its own security context", () => {
    const runnable = cases.filter(({ workload, without }) =>
        all(workload).every(
            ({ name, image }) => without.includes(name) || chosen.some((each) => each === recipeOf(image ?? "")),
        ),
    );
    const title = ({ chart, workload, without }: Case) =>
        `${chart}/${workload.name}${without.length > 0 ? `, without ${without.join(" and ")}` : ""}`;

    it.each(runnable.map((each) => [title(each), each] as const))(
        "%s",
        async (_, { chart, workload, without }) => {
            const pod = new Pod(images, rendered.get(chart) as Manifest[], workload, secret(chart));
            try {
                await pod.start(without);
                await firstUse[`${chart}/${workload.name}`]?.(pod);
            } finally {
                await pod.stop();
            }
        },
        400_000,
    );
});

describe("a workload of a system release starts under its own security context", () => {
    it.each([["argocd-redis", { "argocd-redis": { auth: password } }]])(
        "%s",
        async (name, secrets: Record<string, Record<string, string>>) => {
            const manifests = await renderSystem();
            const workload = workloads(manifests).find((each) => each.name === name) as Workload;
            const pod = new Pod(images, manifests, workload, (secretName) => secrets[secretName] ?? {});
            try {
                await pod.start();
            } finally {
                await pod.stop();
            }
        },
        400_000,
    );
});
