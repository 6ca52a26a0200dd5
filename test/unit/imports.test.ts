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

/** Relative imports of a source file, as paths from the root of the repository. */
function importsOf(file: string): string[] {
    const text = readFileSync(file, "utf8");
    const specifiers = [...text.matchAll(/(?:\bfrom|\bimport|\brequire\()\s*\(?["'](\.[^"']*)["']/g)];
    return specifiers.map(([, specifier = ""]) => normalize(join(dirname(file), specifier)));
}

test.each(Object.entries(allowed))("%s imports only from its own folder and from: %s", (folder, others) => {
    const files = execFileSync("git", ["ls-files", `${folder}/*.ts`, `${folder}/*.mts`], { encoding: "utf8" })
        .trim()
        .split("\n");
    expect(files.length).toBeGreaterThan(0);
    const foreign = files.flatMap((file) =>
        importsOf(file)
            .filter((path) => ![folder, ...others, "package.json"].includes(path.split("/")[0] ?? ""))
            .map((path) => `${file} imports ${path}`),
    );
    expect(foreign).toEqual([]);
});
