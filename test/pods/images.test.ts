import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { Closeable } from "../../sandbox/http-server";
import { makeImages, versionLabel } from "../../sandbox/images/make";
import { type Recipe, recipes } from "../../sandbox/images/recipes";
import { serveImages } from "../../sandbox/images/registry";
import { aptGetInstall } from "../../toolchain/apt-get";
import { type Manifest, type Workload, workloads } from "../charts/manifest";
import { charts, parseManifests } from "../charts/workspace";
import { Pod, PulledImages } from "./pod";

const rendered = new Map(
    charts.map((chart) => [
        chart,
        parseManifests(readFileSync(join(__dirname, "../charts/golden", `${chart}.yaml`), "utf8")),
    ]),
);

/** Splits registry.example/repository:tag. */
function reference(image: string) {
    const [repository = "", tag = ""] = image.split(/:(?=[^/]+$)/);
    return { repository, tag };
}

const recipeOf = (image: string) => recipes.find((each) => each.repositories.includes(reference(image).repository));

const all = ({ template: { spec } }: Workload) => [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];

/** Programs that do nothing without an API server. */
const clients = [/kubectl:/, /gatus-sidecar:/, /kube-state-metrics:/];

const isClient = (image = "") => clients.some((each) => each.test(image));

interface Case {
    readonly chart: string;
    readonly workload: Workload;
    readonly without: readonly string[];
}

/** Containers that need the Internet, or another pod: what they wait for is not here. */
const alone = new Map([["pangolin/pangolin/traefik", "it downloads its plugins at the start"]]);

/** Every workload of a chart with a container that can run here, without those that cannot. */
const cases: Case[] = [...rendered].flatMap(([chart, manifests]) =>
    workloads(manifests)
        // A Job's work is with another pod.
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

/** Every image of the charts. */
const used = [...rendered.values()].flatMap((each) =>
    workloads(each)
        .flatMap(all)
        .map(({ image = "" }) => image),
);

const wanted = process.env["HEARTH_IMAGES"];
const chosen = recipes.filter(
    (each) => wanted === undefined || each.repositories.some((name) => name.includes(wanted)),
);

let registry: (Closeable & { port: number }) | undefined;
let images: PulledImages;

beforeAll(async () => {
    await aptGetInstall("runc", "It runs the containers of this suite.", ["runc"]);
    registry = await serveImages(await makeImages(chosen), "127.0.0.1");
    images = new PulledImages(`localhost:${registry.port}`);
}, 600_000);

/** What is not as the charts have it: another version, or less than upstream's image. */
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
    const values = Object.fromEntries(Object.keys(secrets).map((key) => [key, "0123456789abcdef0123456789abcdef"]));
    return (name: string, key: string | undefined) => {
        if (name !== `${chart}-secrets` || (key !== undefined && !(key in values))) {
            throw new Error(`no Secret ${name} with a key ${key}`);
        }
        return values;
    };
}

describe("an image made here", () => {
    it.each(chosen.map((each) => [each.repositories[0] ?? "", each] as const))(
        "is pulled as %s",
        async (name, recipe: Recipe) => {
            const { config } = await images.pull(`${name}:latest`);
            const made = config.Labels?.[versionLabel] ?? "";
            for (const image of used.filter((each) => recipeOf(each) === recipe)) {
                if (!reference(image).tag.includes(made)) {
                    differences.add(`${image} is ${made} here`);
                }
            }
            if (recipe.differs) {
                differences.add(`${name}: ${recipe.differs}`);
            }
            expect(config.User).toBe(recipe.config.User);
            expect(config.Entrypoint).toEqual(recipe.config.Entrypoint);
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
            } finally {
                await pod.stop();
            }
        },
        400_000,
    );
});
