import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { releases } from "../../../components/releases";
import { type Component, otherComponents } from "../../../hack/sbom";
import { goTools, testTools, toolVersion } from "../../../toolchain/tools";

const root = resolve(__dirname, "../../..");
const read = (...path: string[]) => readFileSync(join(root, ...path), "utf8");

interface Package {
    readonly dependencies: Readonly<Record<string, string>>;
    readonly devDependencies: Readonly<Record<string, string>>;
}

const { dependencies, devDependencies }: Package = JSON.parse(read("package.json"));
const direct = Object.entries({ ...dependencies, ...devDependencies });

test("every folder that replaces a Go module exists", () => {
    const folders = readdirSync(join(root, "toolchain"), { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith("go.mod"))
        .flatMap((file) =>
            [...read("toolchain", file).matchAll(/=> (\.\S+)/g)].map(([, path = ""]) =>
                join("toolchain", file, "..", path),
            ),
        );
    expect(folders.length).toBeGreaterThan(1);
    expect(folders.filter((folder) => !existsSync(join(root, folder, "go.mod")))).toEqual([]);
});

test("every package is one version, and npm has a checksum of each that it installs", () => {
    for (const [name, version] of direct) {
        expect({ name, version }).toEqual({ name, version: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
    }
    const { packages } = JSON.parse(read("package-lock.json")) as { packages: Record<string, { integrity?: string }> };
    const unchecked = Object.entries(packages).filter(
        ([path, each]) => path !== "" && !/^sha512-/.test(each.integrity ?? ""),
    );
    expect(unchecked.map(([path]) => path)).toEqual([]);
});

test("every Go program has a go.sum", () => {
    const folders = readdirSync(join(root, "toolchain"), { withFileTypes: true }).filter((each) => each.isDirectory());
    expect(folders.length).toBeGreaterThan(15);
    expect(
        folders.filter(({ name }) => !existsSync(join(root, "toolchain", name, "go.sum"))).map(({ name }) => name),
    ).toEqual([]);
});

test("the sandbox's operators are those of the charts that `pulumi up` installs", () => {
    expect(toolVersion(goTools["metallb-controller"])).toBe(`v${releases.metallb.version}`);
    expect(toolVersion(goTools["cert-manager"])).toBe(releases.certManager.version);
    expect(toolVersion(testTools["cert-manager-acme"])).toBe(releases.certManager.version);
});

test("no Go program is built from modules under the AGPL", () => {
    // https://github.com/grafana/loki/blob/main/LICENSING.md; the same for Grafana, Tempo, Mimir, Pyroscope, k6 and MinIO.
    const modules = otherComponents().flatMap(({ name, purl }) => (purl.startsWith("pkg:golang/") ? [name] : []));
    const agpl =
        /^(github\.com\/(grafana\/(grafana|k6|loki|mimir|pyroscope|tempo)|minio\/(console|minio))|go\.k6\.io\/k6)(\/|$)/;

    expect(modules.length).toBeGreaterThan(1000);
    expect(modules.filter((name) => agpl.test(name))).toEqual([]);
});

test("the license is Apache-2.0", () => {
    expect(read("LICENSE")).toMatch(/^\s+Apache License\s+Version 2\.0, January 2004/);
    expect(JSON.parse(read("package.json")).license).toBe("Apache-2.0");
});

test("the workflows pin every action to a commit, and every image to a version", () => {
    const lines = readdirSync(join(root, ".gitea/workflows"))
        .flatMap((file) => read(".gitea/workflows", file).split("\n"))
        .filter((line) => /^\s*(- )?uses:/.test(line));
    expect(lines.length).toBeGreaterThan(3);
    for (const line of lines) {
        expect(line).toMatch(/uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    }
});

test("`npm run sbom` lists, in CycloneDX, packages, Go modules, images and upstream charts", () => {
    const document: { bomFormat: string; components: Component[] } = JSON.parse(
        execFileSync("npm", ["run", "--silent", "sbom"], { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 }),
    );
    const purls = new Set(document.components.map(({ purl }) => purl));
    expect(document.bomFormat).toBe("CycloneDX");
    for (const [name, version] of direct) {
        expect(purls).toContain(`pkg:npm/${name.replace("@", "%40")}@${version}`);
    }
    for (const tool of Object.values({ ...goTools, ...testTools })) {
        expect(purls).toContain(`pkg:golang/${tool.module}@${encodeURIComponent(toolVersion(tool))}`);
    }
    // Modules that a go.mod replaces, by another version and by a folder of this repository.
    const { folder } = goTools["kube-apiserver"];
    const [, library] = /k8s.io\/api => k8s.io\/api (v\S+)/.exec(read(`toolchain/${folder}/go.mod`)) ?? [];
    expect(purls).toContain(`pkg:golang/k8s.io/api@${library}`);
    expect([...purls].filter((purl) => /\/hearth\/|frr-k8s/.test(purl))).toEqual([]);
    for (const { chart, version } of Object.values(releases)) {
        expect([...purls].some((purl) => purl.startsWith(`pkg:helm/${chart}@${version}?`))).toBe(true);
    }
    expect([...purls].filter((purl) => purl.startsWith("pkg:oci/")).length).toBeGreaterThan(40);
});
