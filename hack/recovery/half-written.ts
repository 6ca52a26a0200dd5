import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";

function isWhole(file: string): boolean {
    try {
        JSON.parse(readFileSync(file, "utf8"));
        return true;
    } catch {
        return false;
    }
}

/** Stacks whose state was changed. */
export interface Repaired {
    /** Those restored to the state of the previous step. */
    readonly old: readonly string[];
    /** Those without any state. */
    readonly lost: readonly string[];
}

/**
 * Repairs files that a run has partly written in a file backend's folder. Attributes (`.attrs`) are written in place,
 * and while they are truncated, every command of Pulumi fails with only "EOF". They are expendable: they hold a content
 * type and a checksum. A state is replaced in one step, but on a full disk its replacement is truncated, and so can be
 * its copy (`.bak`).
 *
 * @param folder the backend's
 * @param report called with a line for each repair
 */
export function repairBackend(folder: string, report: (line: string) => void): Repaired {
    const root = join(folder, ".pulumi");
    const found = existsSync(root) ? readdirSync(root, { recursive: true, encoding: "utf8" }) : [];
    const files = found.map((each) => join(root, each));
    for (const file of files.filter((each) => each.endsWith(".attrs") && !isWhole(each))) {
        rmSync(file, { force: true });
        report(`Removed: ${file}, which was truncated when it was written`);
    }
    const old: string[] = [];
    const lost: string[] = [];
    const stacks = join(root, "stacks");
    for (const state of files.filter((each) => each.startsWith(stacks) && each.endsWith(".json") && !isWhole(each))) {
        const copy = `${state}.bak`;
        const isOld = isWhole(copy);
        if (isOld) {
            copyFileSync(copy, state);
            report(`Restored: ${state} from ${copy}, the state of the previous step: it was truncated on a full disk`);
        } else {
            renameSync(state, `${state}.truncated`);
            report(
                `Moved: the truncated state to ${state}.truncated; the full disk left no complete copy, and the state is recreated`,
            );
        }
        (isOld ? old : lost).push(basename(state, ".json"));
        for (const rest of [`${state}.attrs`, ...(isOld ? [] : [copy, `${copy}.attrs`])]) {
            rmSync(rest, { force: true });
        }
    }
    return { old, lost };
}
