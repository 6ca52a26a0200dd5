import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { stringify } from "yaml";
import { z } from "zod";
import { configPath } from "../../config/secrets";
import { readStackFile, stackFileName } from "../../config/stack-file";
import { editableYaml } from "../../config/yaml";
import { Failure } from "../../lib/failure";
import { temporaryFolder } from "../../lib/temporary-folder";
import { tool } from "../../toolchain/tools";
import { type CaptureOptions, capture } from "../capture";
import { captureGit } from "../git";
import type { ProgramChange } from "./comment";
import { mergeBase, unifiedDiff } from "./differences";

/** Placeholder for an encrypted value, so that a preview needs no passphrase: every check of the config accepts it. */
const placeholder = "0".repeat(32);

/** The same for a private key; one for both previews. */
const keyPlaceholder = generateKeyPairSync("ed25519", {
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
}).privateKey;

/** The same for a kubeconfig with one context. */
const kubeconfigPlaceholder = (context: string) =>
    JSON.stringify({
        "current-context": context,
        contexts: [{ name: context, context: { cluster: "preview", user: "preview" } }],
        clusters: [{ name: "preview", cluster: { server: "https://preview.invalid" } }],
        users: [{ name: "preview", user: {} }],
    });

/** Placeholder in Pulumi's JSON for a value that is unknown before `up`. */
const unknownValue = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

const previewSchema = z.object({
    steps: z
        .array(
            z.object({
                urn: z.string(),
                newState: z.object({ inputs: z.record(z.string(), z.unknown()).default({}) }),
            }),
        )
        .default([]),
    diagnostics: z.array(z.object({ message: z.string(), severity: z.string() })).default([]),
});

/** The inputs of each resource as YAML, by its type and name. */
type Declared = ReadonlyMap<string, string>;

/**
 * Removes every encrypted value from a stack's file.
 *
 * @returns the placeholder of each, by its path
 */
function withoutSecrets(file: string): [path: string, placeholder: string][] {
    const { text, config, encrypted } = readStackFile(file);
    const context = config["hearth:context"];
    const document = editableYaml(text);
    const inMaps = encrypted.filter((path) => path.every((key) => typeof key === "string"));
    for (const [first, ...rest] of encrypted) {
        for (const key of [first, first.replace(/^hearth:/, "")].filter((each) => document.hasIn(["config", each]))) {
            // Items of a list keep their positions; secrets are never items.
            if (rest.every((each) => typeof each === "string")) {
                document.deleteIn(["config", key, ...rest]);
            } else {
                document.setIn(["config", key, ...rest], placeholder);
            }
        }
    }
    for (const key of ["encryptionsalt", "encryptedkey", "secretsprovider"]) {
        document.delete(key);
    }
    writeFileSync(file, document.toString());
    return inMaps.map(([first, ...rest]) => {
        const key = rest.at(-1) ?? first;
        const values: Readonly<Record<string, string>> = {
            privateKey: keyPlaceholder,
            "hearth:kubeconfig": kubeconfigPlaceholder(typeof context === "string" ? context : "preview"),
            "hearth:context": "preview",
        };
        return [configPath([first.replace(/^hearth:/, ""), ...rest]), values[String(key)] ?? placeholder];
    });
}

/** Type and name of a resource, without the stack and the components that it is in. */
const nameOf = (urn: string) => urn.split("::").slice(2).join(" ").split("$").at(-1) ?? urn;

/**
 * Resources that a commit's program declares, by a `pulumi preview` of a stack without state. It needs no cluster, no
 * secret, and no network but for plugins and upstream charts.
 *
 * @param root work tree of the commit, with its packages; the stack's file loses its secrets
 * @param state folder for a state of this one run
 * @throws Failure with the output of Pulumi and the program
 */
async function declaredResources(root: string, state: string, stack: string): Promise<Declared> {
    const placeholders = withoutSecrets(join(root, stackFileName(stack)));
    mkdirSync(state);
    const env = {
        ...process.env,
        // If Pulumi's own plugins cannot be downloaded, stand-ins are in npm's folder of commands.
        PATH: [dirname(tool("pulumi")), join(root, "node_modules/.bin"), process.env["PATH"]].join(delimiter),
        PULUMI_BACKEND_URL: `file://${state}`,
        PULUMI_CONFIG_PASSPHRASE: "preview",
        PULUMI_SKIP_UPDATE_CHECK: "true",
        // The repository that Argo CD follows is not read: a runner may not reach it, and would wait long.
        GIT_ALLOW_PROTOCOL: "none",
    };
    const pulumi = (args: string[], options: Pick<CaptureOptions, "accepted"> = {}) =>
        capture(tool("pulumi"), [...args, "--stack", stack, "--non-interactive", "--cwd", root], {
            env,
            failure: `pulumi ${args[0]} failed`,
            ...options,
        });
    await pulumi(["stack", "init"]);
    if (placeholders.length > 0) {
        const values = placeholders.flatMap(([path, value]) => ["--secret", `${path}=${value}`]);
        await pulumi(["config", "set-all", "--path", ...values]);
    }
    const head = (await captureGit(["-C", root, "rev-parse", "HEAD"], { failure: "there is no commit" })).trim();
    // A failing program is reported in the same JSON. The commit and the folder differ every time.
    const output = (await pulumi(["preview", "--json"], { accepted: (stdout) => stdout.startsWith("{") }))
        .replaceAll(head, "<commit>")
        .replaceAll(root, ".");
    const { steps, diagnostics } = previewSchema.parse(JSON.parse(output));
    const errors = diagnostics
        .filter(({ severity }) => severity === "error")
        .map(({ message }) => message.replace(/^error: /, "").trim());
    if (errors.length > 0) {
        throw new Failure(errors.join("\n"));
    }
    const inputs = (value: unknown) =>
        stringify(value, { sortMapEntries: true, lineWidth: 0 }).replaceAll(unknownValue, "<known after up>");
    return new Map(steps.map(({ urn, newState }) => [nameOf(urn), inputs(newState.inputs)]));
}

/** A work tree of a commit, with the packages of the checkout that this runs in. */
export async function checkOut(repository: string, commit: string, root: string): Promise<void> {
    const failure = `${commit} cannot be read`;
    await captureGit(["clone", "--quiet", "--shared", "--no-checkout", repository, root], { failure });
    await captureGit(["-C", root, "checkout", "--quiet", "--detach", commit], { failure });
    symlinkSync(join(repository, "node_modules"), join(root, "node_modules"));
}

/**
 * Difference that a change makes in the declared resources, between its head and its merge base. Not the changes to the
 * home, which depend on its current state, but those of the declaration.
 *
 * @param repository root of the checkout, with both commits and its packages
 * @param base the branch that the change would go to
 * @param head the commit that it ends with
 * @param stack whose settings are used
 * @returns a failure, in words, when one of the two previews fails
 * @throws Failure when the branches have no commit in common
 */
export async function programChange(
    repository: string,
    base: string,
    head: string,
    stack: string,
): Promise<ProgramChange> {
    const directory = temporaryFolder();
    try {
        const preview = async (name: string, commit: string) => {
            const root = join(directory, name);
            await checkOut(repository, commit, root);
            return declaredResources(root, join(directory, `${name}-state`), stack);
        };
        const start = await mergeBase(repository, base, head);
        const [before, after] = await Promise.allSettled([preview("before", start), preview("after", head)]);
        if (after.status === "rejected") {
            return { failure: messageOf(after.reason) };
        }
        if (before.status === "rejected") {
            return { failure: `before this request, at ${start.slice(0, 10)}: ${messageOf(before.reason)}` };
        }
        return await comparison(before.value, after.value, directory);
    } finally {
        rmSync(directory, { recursive: true, force: true });
    }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

async function comparison(before: Declared, after: Declared, directory: string): Promise<ProgramChange> {
    const names = [...new Set([...before.keys(), ...after.keys()])].sort();
    const changed = names.filter((name) => before.get(name) !== after.get(name));
    const diffs: string[] = [];
    for (const name of changed) {
        writeFileSync(join(directory, "base.yaml"), before.get(name) ?? "");
        writeFileSync(join(directory, "head.yaml"), after.get(name) ?? "");
        diffs.push(`${name}\n${await unifiedDiff(directory, "base.yaml", "head.yaml")}`);
    }
    return {
        created: changed.filter((name) => !before.has(name)).length,
        updated: changed.filter((name) => before.has(name) && after.has(name)).length,
        deleted: changed.filter((name) => !after.has(name)).length,
        diff: diffs.join("\n"),
    };
}
