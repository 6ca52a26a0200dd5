import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

/** Folders that each folder may import from, besides its own. */
const allowed: Readonly<Record<string, readonly string[]>> = {
    lib: [],
    config: ["lib"],
    toolchain: ["lib"],
    components: ["config", "lib"],
    provision: ["config", "lib"],
    hack: ["components", "config", "lib", "provision", "toolchain"],
    sandbox: ["components", "config", "hack", "lib", "provision", "toolchain"],
};

/** Source files of a folder, as Git lists them. */
function sourcesOf(folder: string): string[] {
    return execFileSync("git", ["ls-files", `${folder}/*.ts`], { encoding: "utf8" })
        .trim()
        .split("\n");
}

/** Relative imports of a source file, as paths from the root of the repository. */
function importsOf(file: string): string[] {
    const text = readFileSync(file, "utf8");
    const specifiers = [...text.matchAll(/(?:\bfrom|\bimport|\brequire\()\s*\(?["'](\.[^"']*)["']/g)];
    return specifiers.map(([, specifier = ""]) => normalize(join(dirname(file), specifier)));
}

test.each(Object.entries(allowed))("%s imports only from its own folder and from: %s", (folder, others) => {
    const files = sourcesOf(folder);
    expect(files.length).toBeGreaterThan(0);
    const foreign = files.flatMap((file) =>
        importsOf(file)
            .filter((path) => ![folder, ...others, "package.json"].includes(path.split("/")[0] ?? ""))
            .map((path) => `${file} imports ${path}`),
    );
    expect(foreign).toEqual([]);
});

test("compiled code finds files from the root of the repository: its own folder is dist/", () => {
    const files = Object.keys(allowed).flatMap((folder) => sourcesOf(folder));
    const own = [...files, "index.ts"].filter((file) => readFileSync(file, "utf8").includes("__dirname"));
    expect(own).toEqual(["lib/root.ts"]);
});
