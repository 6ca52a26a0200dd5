import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

/** The stack that describes the sandbox. */
export const stack = "sandbox";

function layout(root: string) {
    const { name } = parse(readFileSync(join(root, "Pulumi.yaml"), "utf8"));
    const state = join(root, ".state", ".pulumi");
    return {
        stacks: join(state, "stacks", name),
        locks: join(state, "locks", "organization", name, stack),
        others: ["history", "backups"].map((kind) => join(state, kind, name, stack)),
    };
}

/** Whether the stack has been created. */
export function hasStack(root: string): boolean {
    return existsSync(join(layout(root).stacks, `${stack}.json`));
}

/** The locks on the stack: which process holds each, on which machine. */
export function stackLocks(root: string): { pid: number; hostname: string; file: string }[] {
    const { locks } = layout(root);
    if (!existsSync(locks)) {
        return [];
    }
    return readdirSync(locks)
        .filter((file) => file.endsWith(".json"))
        .map((name) => {
            const file = join(locks, name);
            try {
                return { file, ...JSON.parse(readFileSync(file, "utf8")) };
            } catch {
                return { file, pid: 0, hostname: "" };
            }
        });
}

/** Forgets what the sandbox's stack held: it described a cluster that is gone. Other stacks are left alone. */
export function removeStackState(root: string): void {
    const { stacks, locks, others } = layout(root);
    if (existsSync(stacks)) {
        for (const file of readdirSync(stacks).filter((name) => name.startsWith(`${stack}.json`))) {
            rmSync(join(stacks, file), { force: true });
        }
    }
    for (const directory of [locks, ...others]) {
        rmSync(directory, { recursive: true, force: true });
    }
}
