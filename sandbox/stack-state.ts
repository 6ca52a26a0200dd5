import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { readLocks, type StackLock } from "../hack/recovery/locks";

/** The stack that describes the sandbox. */
export const stack = "sandbox";

function layout(root: string) {
    const { name }: { name: string } = parse(readFileSync(join(root, "Pulumi.yaml"), "utf8"));
    const folder = join(root, ".state");
    const state = join(folder, ".pulumi");
    return {
        folder,
        project: name,
        stacks: join(state, "stacks", name),
        locks: join(state, "locks", "organization", name, stack),
        others: ["history", "backups"].map((kind) => join(state, kind, name, stack)),
    };
}

function stateFile(root: string): string {
    return join(layout(root).stacks, `${stack}.json`);
}

/** Reports whether the stack has been created. */
export function hasStack(root: string): boolean {
    return existsSync(stateFile(root));
}

/** The locks on the stack. */
export function stackLocks(root: string): StackLock[] {
    const { folder, project } = layout(root);
    return readLocks(folder, project, stack);
}

/** Reports whether the state has pending operations of a killed run. */
export function hasPendingOperations(root: string): boolean {
    const file = stateFile(root);
    return existsSync(file) && readFileSync(file, "utf8").includes('"pending_operations"');
}

/** Deletes the state of the sandbox's stack, whose cluster no longer exists. Other stacks are not changed. */
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
