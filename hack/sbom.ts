import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { releases } from "../components/releases";
import { Failure, runMain } from "../lib/failure";
import { root } from "../lib/root";
import { run } from "../lib/run";
import { k3sRelease } from "../provision/k3s-release";

/** A component in CycloneDX' format. https://cyclonedx.org/docs/1.5/json/ */
export interface Component {
    readonly type: string;
    readonly name: string;
    readonly version: string;
    /** https://github.com/package-url/purl-spec */
    readonly purl: string;
}

const read = (...path: string[]) => readFileSync(join(root, ...path), "utf8");

/** The Go modules that the toolchain's programs are built from: replacements instead of the modules that they replace. */
function goModules(): Component[] {
    const folders = readdirSync(join(root, "toolchain"), { withFileTypes: true }).filter((each) => each.isDirectory());
    return folders.flatMap(({ name: folder }) => {
        const file = read("toolchain", folder, "go.mod");
        const replacements = new Map(
            [...file.matchAll(/^(?:replace )?\t?([\w.~/-]+)(?: v\S+)? => (\S+) ?(v\S+)?$/gm)].map(
                ([, replaced, name, version]) => [replaced, { name, version }],
            ),
        );
        return [...file.matchAll(/^(?:require )?\t?([\w.~/-]+) (v[\w.+-]+)(?: \/\/ indirect)?$/gm)].flatMap(
            ([, required, pinned]) => {
                const { name, version } = replacements.get(required) ?? { name: required, version: pinned };
                // A replacement without a version is a folder of this repository.
                return name && version
                    ? { type: "library", name, version, purl: `pkg:golang/${name}@${encodeURIComponent(version)}` }
                    : [];
            },
        );
    });
}

/** Images that the charts run: each tag in their values has its repository next to it, for Renovate. */
function images(): Component[] {
    const files = readdirSync(join(root, "charts"), { recursive: true, encoding: "utf8" });
    return files
        .filter((file) => /^[^/]+\/[^/]+\.yaml$/.test(file))
        .flatMap((file) =>
            [
                ...read("charts", file).matchAll(/# renovate: datasource=docker depName=(\S+)\n\s*tag: "?([^\s@"]+)/g),
            ].map(([, name = "", version = ""]) => ({
                type: "container",
                name,
                version,
                purl: `pkg:oci/${name.split("/").pop()}?repository_url=${encodeURIComponent(name)}&tag=${version}`,
            })),
        );
}

/** The upstream charts, and the k3s of the nodes. */
function upstream(): Component[] {
    const charts = Object.values(releases).map(({ chart, repository, version }) => ({
        type: "application",
        name: chart,
        version,
        purl: `pkg:helm/${chart}@${version}?repository_url=${encodeURIComponent(repository)}`,
    }));
    const { version } = k3sRelease;
    const k3s = {
        type: "application",
        name: "k3s",
        version,
        purl: `pkg:github/k3s-io/k3s@${encodeURIComponent(version)}`,
    };
    return [...charts, k3s];
}

/** Every component of this repository except npm's packages, each once. */
export function otherComponents(): Component[] {
    const all = [...goModules(), ...images(), ...upstream()];
    return [...new Map(all.map((each) => [each.purl, each])).values()].sort((a, b) =>
        a.purl.localeCompare(b.purl, "en"),
    );
}

/** Prints the home's components as CycloneDX: npm's packages by npm itself, and everything pinned elsewhere. */
async function main(): Promise<number> {
    const { exitCode, output } = await run(
        "npm",
        ["sbom", "--package-lock-only", "--sbom-format=cyclonedx", "--sbom-type=application", "--loglevel=error"],
        { cwd: root },
    );
    if (exitCode !== 0) {
        throw new Failure(`npm lists no packages: ${output.trim()}`);
    }
    const document: { components: unknown[] } = JSON.parse(output);
    const components = [...document.components, ...otherComponents()];
    const text = `${JSON.stringify({ ...document, components }, undefined, 2)}\n`;
    // A pipe accepts one part at a time, and this program exits after the last one.
    await new Promise((written) => process.stdout.write(text, written));
    return 0;
}

if (require.main === module) {
    runMain("sbom", main);
}
