import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manifestSchema, readApplications } from "../../../components/applications";
import { fileSchema, readSecretDeclarations } from "../../../components/secret-declarations";
import { Failure } from "../../../lib/failure";
import { hostileTexts, type Path, type Place, placesOf, valueAt, withText } from "./values";

const manifest = {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Application",
    metadata: {
        name: "a",
        namespace: "argocd",
        finalizers: ["resources-finalizer.argocd.argoproj.io"],
        annotations: { "argocd.argoproj.io/sync-wave": "2", "pod-security.kubernetes.io/enforce": "baseline" },
    },
    spec: {
        project: "home",
        revisionHistoryLimit: "3",
        destination: { namespace: "a", server: "https://kubernetes.default.svc", name: "in-cluster" },
        sources: [
            {
                repoURL: "https://git.home.arpa/hearth/hearth.git",
                targetRevision: "main",
                path: "charts/a",
                ref: "home",
                name: "a",
                helm: {
                    releaseName: "a",
                    valueFiles: ["values.yaml"],
                    valuesObject: { global: { domain: "home.arpa" } },
                },
            },
            {
                repoURL: "https://charts.example.com",
                targetRevision: "1.2.3",
                chart: "upstream",
                ref: "upstream",
                name: "upstream",
                helm: { releaseName: "a", valueFiles: ["$home/charts/a/upstream.yaml"], valuesObject: { a: 1 } },
            },
        ],
        syncPolicy: {
            automated: { enabled: true },
            syncOptions: ["ServerSideApply=true"],
            managedNamespaceMetadata: { labels: { "pod-security.kubernetes.io/enforce": "baseline" } },
        },
    },
};

let root: string;

beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "hearth-hostile-"));
    mkdirSync(join(root, "clusters/home/apps"), { recursive: true });
    mkdirSync(join(root, "charts/a"), { recursive: true });
    writeFileSync(join(root, "charts/a/Chart.yaml"), "name: a\n");
    for (const file of ["values.yaml", "upstream.yaml"]) {
        writeFileSync(join(root, "charts/a", file), "{}\n");
    }
});

afterEach(() => rmSync(root, { recursive: true }));

function read(text: string) {
    writeFileSync(join(root, "clusters/home/apps/a.yaml"), text);
    return readApplications(root, "home")[0]?.manifest;
}

function readSecrets(text: string) {
    writeFileSync(join(root, "charts/a/secrets.yaml"), text);
    return readSecretDeclarations(root, ["a"])["a"];
}

/** The program's result for a file, or its message. */
function outcome<T>(reading: () => T): T | string {
    try {
        return reading();
    } catch (error) {
        if (error instanceof Failure) {
            return error.message;
        }
        throw error;
    }
}

const isReadable = (message: string) => message.length < 2_000 && !/[^\n\P{Cc}]|[\p{Cf}\p{Zl}\p{Cs}]/u.test(message);

const nameOf = ({ path, part }: Place) => `${path.join(".")}${part === "name" ? " (its name)" : ""}`;
const noNames = (path: Path) => (path.length === 1 && path[0] === "secrets" ? "key" : "?");

const manifestPlaces = placesOf(manifestSchema, noNames).filter(({ path }) => path.length > 0);

test("the manifest example has every field that the program reads", () => {
    expect(manifestPlaces.filter(({ path }) => valueAt(manifest, path) === undefined).map(nameOf)).toEqual([]);
    expect(outcome(() => read(JSON.stringify(manifest)))).toMatchObject(manifest);
});

test.each(manifestPlaces.map((place) => [nameOf(place), place] as const))(
    "manifest: %s: any value is rejected with the file's name, or kept unchanged",
    (_, place) => {
        const flaws = Object.entries(hostileTexts).flatMap(([kind, text]) => {
            const result = outcome(() => read(JSON.stringify(withText(manifest, place, text))));
            const fine =
                typeof result === "string"
                    ? /\n {2}clusters\/home\/apps\/a\.yaml: /.test(result) && isReadable(result)
                    : valueAt(result, place.path) === text;
            return fine ? [] : [`${kind}: ${String(result).slice(0, 200)}`];
        });
        expect(flaws).toEqual([]);
    },
);

/** Fields of the manifest that become arguments of helm, git or kubectl without an option in front. */
const words: readonly Path[] = [
    ["metadata", "name"],
    ["spec", "destination", "namespace"],
    ["spec", "sources", 0, "path"],
    ["spec", "sources", 0, "helm", "releaseName"],
    ["spec", "sources", 1, "chart"],
    ["spec", "sources", 1, "helm", "releaseName"],
];

test.each(words.map((path) => [path.join("."), path] as const))("manifest: %s cannot be an option", (_, path) => {
    for (const text of ["--post-renderer=/bin/sh", "-f"]) {
        expect(outcome(() => read(JSON.stringify(withText(manifest, { path, part: "value" }, text))))).toMatch(
            /a\.yaml: /,
        );
    }
});

test("a values file is in the repository", () => {
    for (const text of ["/etc/passwd", "../../../etc/passwd", "$home/../../etc/passwd", "https://example.com/x"]) {
        for (const source of [0, 1]) {
            const path: Path = ["spec", "sources", source, "helm", "valueFiles", 0];
            expect(outcome(() => read(JSON.stringify(withText(manifest, { path, part: "value" }, text))))).toMatch(
                /a\.yaml: .*the path of a file in this repository/,
            );
        }
    }
});

const secretPlaces = placesOf(fileSchema, noNames);

test.each(secretPlaces.map((place) => [nameOf(place), place] as const))(
    "secrets.yaml: %s: any value is rejected with the file's name, or kept unchanged",
    (_, place) => {
        for (const [kind, text] of Object.entries(hostileTexts)) {
            // JSON is YAML. Each way to declare a secret has its own keys.
            const key = String(place.path.at(2) ?? "description");
            const others: Readonly<Record<string, object>> = {
                generate: { generate: { length: 32, alphabet: "hex" } },
                from: { from: { chart: "a", key: "key" } },
                optional: { optional: true },
            };
            const declared = { secrets: { key: { description: "x", ...(others[key] ?? { required: true }) } } };
            const result = outcome(() => readSecrets(JSON.stringify(withText(declared, place, text))));
            if (typeof result === "string") {
                expect(result).toMatch(/\n {2}charts\/a\/secrets\.yaml: /);
                expect({ kind, readable: isReadable(result) }).toEqual({ kind, readable: true });
            } else {
                expect({ secrets: result }).toEqual(withText(declared, place, text));
            }
        }
    },
);

test.each([
    ["nested without end", "[".repeat(100_000)],
    ["maps without end", "a: {".repeat(20_000)],
    [
        "aliases of aliases",
        ["a0: &a0 [x, x]", ...Array.from({ length: 40 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`)].join(
            "\n",
        ),
    ],
    ["binary", "\u0000\u0001\u0002"],
    ["no document", ""],
    ["two documents", "a: 1\n---\nb: 2\n"],
    ["a tag of JavaScript", "x: !!js/function 'function () {}'"],
    ["a text", "hello"],
    ["10 MB", "x".repeat(10 * 1024 * 1024)],
])("a file that is %s is reported by its name", (_, text) => {
    expect(outcome(() => read(text))).toMatch(
        /^Mistakes in the Application manifests:\n {2}clusters\/home\/apps\/a\.yaml: /,
    );
    expect(outcome(() => readSecrets(text))).toMatch(
        /^Mistakes in the declarations of secrets:\n {2}charts\/a\/secrets\.yaml: /,
    );
});
