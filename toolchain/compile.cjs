/**
 * Compiles the programs of this repository into dist/, one file each, when their sources have changed. Types are checked
 * by `npm run typecheck`. `node toolchain/compile.cjs NAME ARGUMENTS…` compiles and runs one of them.
 */
const { createHash } = require("node:crypto");
const { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } = require("node:fs");
const { enableCompileCache } = require("node:module");
const { join } = require("node:path");

const root = join(__dirname, "..");
const output = join(root, "dist");

/** Entry points. Packages are loaded from node_modules, except for the Kubernetes client. */
const programs = {
    program: "index.ts",
    wait: "components/waits/main.ts",
    gitea: "components/gitea/main.ts",
    preflight: "provision/checks/preflight.ts",
    hack: "hack/main.ts",
    tools: "toolchain/only.ts",
    setup: "sandbox/setup.ts",
    start: "sandbox/start.ts",
    stop: "sandbox/stop.ts",
    daemon: "sandbox/daemon.ts",
};

/** Entry points that are bundled with their packages, which loads them in a third of the time. */
const bundles = {
    "kubernetes-client": "@kubernetes/client-node",
    // Named like Pulumi's own plugins, so that process lists show their purpose.
    "pulumi-resource-command": "sandbox/plugins/command/main.ts",
    "pulumi-resource-random": "sandbox/plugins/random/main.ts",
};

/** Sources of the compiled programs. */
function sources() {
    const folders = ["components", "config", "hack", "lib", "provision", "sandbox", "toolchain"];
    const files = folders.flatMap((folder) =>
        readdirSync(join(root, folder), { recursive: true })
            .filter((file) => file.endsWith(".ts"))
            .map((file) => join(folder, file)),
    );
    return ["index.ts", "package-lock.json", "toolchain/compile.cjs", ...files.sort()];
}

function checksum() {
    const hash = createHash("sha256");
    for (const file of sources()) {
        hash.update(file).update("\0").update(readFileSync(join(root, file))).update("\0");
    }
    return hash.digest("hex");
}

/** Writes a file atomically: other programs may be starting from it. */
function replace(file, contents) {
    const temporary = `${file}.${process.pid}`;
    writeFileSync(temporary, contents);
    renameSync(temporary, file);
}

/** Compiles all programs unless they are up to date. */
function compile() {
    const current = checksum();
    const record = join(output, "sources.sha256");
    try {
        if (readFileSync(record, "utf8") === current) {
            return;
        }
    } catch {
        // Nothing has been compiled yet.
    }
    const { buildSync } = require("esbuild");
    const common = {
        absWorkingDir: root,
        bundle: true,
        platform: "node",
        format: "cjs",
        target: "node22",
        outdir: output,
        outExtension: { ".js": ".cjs" },
        write: false,
        legalComments: "none",
    };
    let outputs;
    try {
        outputs = [
            ...buildSync({ ...common, entryPoints: programs, packages: "external" }).outputFiles,
            ...buildSync({ ...common, entryPoints: bundles, minify: true, keepNames: true }).outputFiles,
        ];
    } catch {
        process.stderr.write("hearth cannot be compiled: fix the errors of esbuild above, and rerun it.\n");
        process.exit(1);
    }
    mkdirSync(output, { recursive: true });
    for (const { path, contents } of outputs) {
        replace(path, contents);
    }
    replace(record, current);
}

/** Compiles changed programs and loads one. */
function load(name) {
    // Deprecation warnings about packages do not concern users of a verb.
    process.noDeprecation = true;
    if (enableCompileCache === undefined) {
        process.stderr.write(`Node.js ${process.versions.node} is too old: install 22.12 or newer (https://nodejs.org).\n`);
        process.exit(2);
    }
    require("./compile-cache.cjs");
    compile();
    return require(join(output, `${name}.cjs`));
}

module.exports = { compile, load };

if (require.main === module) {
    const [name] = process.argv.splice(2, 1);
    load(name);
}
