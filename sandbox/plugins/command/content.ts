import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Archive, Asset } from "../shared/values";

/** A pattern of assetPaths: `*` matches within a folder, `**` across folders; also `?`, `[abc]` and `{a,b}`. */
export function globToRegExp(glob: string): RegExp {
    let depth = 0;
    const source = glob.replace(/\\(.)|\*\*|\*|\?|\[!?[^\]]*\]|[{},]|[.+^$()|/]/g, (token, escaped?: string) => {
        if (escaped !== undefined) {
            return escaped.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
        }
        if (token.startsWith("[")) {
            return token.replace(/^\[!/, "[^");
        }
        switch (token) {
            case "**":
                return ".*";
            case "*":
                return "[^/]*";
            case "?":
                return "[^/]";
            case "{":
                depth++;
                return "(?:";
            case "}":
                depth--;
                return ")";
            case ",":
                return depth > 0 ? "|" : ",";
            default:
                return `\\${token}`;
        }
    });
    return new RegExp(`^${source}$`, "s");
}

/**
 * Files in a folder, by their path in it, that rules choose: a later rule goes over an earlier one, and one with an
 * exclamation mark takes away.
 */
export function chooseFiles(directory: string, rules: readonly string[]): Record<string, Asset> {
    const parsed = rules.map((rule) => ({
        excludes: rule.startsWith("!"),
        pattern: globToRegExp(rule.replace(/^!/, "")),
    }));
    const chosen: Record<string, Asset> = {};
    for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
        if (entry.isDirectory()) {
            continue;
        }
        const path = join(entry.parentPath, entry.name).slice(directory.replace(/\/$/, "").length + 1);
        const last = parsed.filter(({ pattern }) => pattern.test(path)).at(-1);
        if (last && !last.excludes) {
            const file = join(directory, path);
            chosen[path] = new Asset({ path: file, hash: sha256(readFileSync(file)) });
        }
    }
    return chosen;
}

function sha256(data: Buffer | string): string {
    return createHash("sha256").update(data).digest("hex");
}

/** An archive of assets. */
export function archiveOf(assets: Readonly<Record<string, Asset>>): Archive {
    const hashes = Object.entries(assets).map(([path, { content }]) => `${path} ${content.hash}`);
    return new Archive({ assets: { ...assets }, hash: sha256(hashes.sort().join("\n")) });
}
