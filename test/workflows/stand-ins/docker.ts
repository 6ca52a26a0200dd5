/**
 * Replaces Docker on machines without it: `docker login`, `docker build` of a Dockerfile that begins with FROM scratch,
 * and `docker push`, with crane. Like Docker's, a built image stays on the machine until it is pushed.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { tool } from "../../../toolchain/tools";

function crane(...args: string[]): void {
    execFileSync(tool("crane"), args, { stdio: "inherit" });
}

/** Folder of an image before its push: its layer, and crane's settings for its config. */
function stored(reference: string): { layer: string; config: string } {
    const folder = join(homedir(), "stand-in-docker", encodeURIComponent(reference));
    mkdirSync(folder, { recursive: true });
    return { layer: join(folder, "layer.tar"), config: join(folder, "config.json") };
}

function build(args: string[]): void {
    const { values, positionals } = parseArgs({
        args,
        options: { platform: { type: "string" }, file: { type: "string" }, tag: { type: "string" } },
        allowPositionals: true,
    });
    const { platform, file, tag } = values;
    const [context] = positionals;
    if (platform === undefined || file === undefined || tag === undefined || context === undefined) {
        throw new Error("docker build: the stand-in needs --platform, --file, --tag and a context");
    }
    const { layer, config } = stored(tag);
    const root = join(dirname(layer), "root");
    const changes = ["--set-platform", platform];
    for (const line of readFileSync(file, "utf8").split("\n").filter(Boolean)) {
        const [, instruction, rest = ""] = /^(\w+) (.*)$/.exec(line) ?? [];
        if (instruction === "COPY") {
            const [from = "", to = ""] = rest.split(" ");
            mkdirSync(dirname(join(root, to)), { recursive: true });
            cpSync(join(context, from), join(root, to), { recursive: true });
        } else if (instruction === "ENTRYPOINT") {
            changes.push("--entrypoint", (JSON.parse(rest) as string[]).join(","));
        } else if (line !== "FROM scratch") {
            throw new Error(`docker build: the stand-in does not know ${line}`);
        }
    }
    execFileSync("tar", ["--create", "--file", layer, "--directory", root, "."]);
    writeFileSync(config, JSON.stringify(changes));
}

function push(reference: string): void {
    const { layer, config } = stored(reference);
    crane("append", "--new_layer", layer, "--new_tag", reference);
    crane("mutate", reference, "--tag", reference, ...(JSON.parse(readFileSync(config, "utf8")) as string[]));
}

const [command, ...args] = process.argv.slice(2);
if (command === "login") {
    crane("auth", "login", ...args);
} else if (command === "build") {
    build(args);
} else if (command === "push" && args[0] !== undefined) {
    push(args[0]);
} else {
    throw new Error(`docker: the stand-in has no ${command}`);
}
