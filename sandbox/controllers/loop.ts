import type { Closeable } from "../http-server";
import { isRefusal } from "./api";

/** Milliseconds until a pass that failed is made again: at first, and at most. */
const backoff = { first: 250, most: 15_000 };

/** Milliseconds in which changes are gathered for one pass. */
const gather = 20;

/** The longest time that a timer takes, in milliseconds: a longer one would go off at once. */
const longest = 86_400_000;

/** What a controller reads: a copy of the cluster's objects that tells of its changes. */
export interface Source {
    readonly synced: boolean;
    onChange(listener: () => void): () => void;
}

/** A controller: one pass brings the cluster from what it is to what it should be. */
export interface Controller {
    readonly name: string;
    /** A change in these is the reason for a pass. */
    readonly reads: readonly Source[];
    /** @returns milliseconds after which to look again though nothing changed, if that is needed */
    pass(): Promise<number | undefined>;
}

/** A controller at work. */
export interface RunningController extends Closeable {
    /** Resolves when its first pass has gone through. */
    readonly settled: Promise<void>;
}

/** Throws the failure that says most, if there is any: a conflict only says that somebody else was first. */
function raise(failures: readonly unknown[]): void {
    if (failures.length > 0) {
        throw failures.find((each) => !isRefusal(each, 409)) ?? failures[0];
    }
}

/** Runs the body for each object; one that fails keeps none of the others from it. A failure is thrown at the end. */
export async function forEach<T>(objects: readonly T[], body: (object: T) => Promise<void>): Promise<void> {
    const outcomes = await Promise.allSettled(objects.map(body));
    raise(outcomes.flatMap((each) => (each.status === "rejected" ? [each.reason] : [])));
}

/** Takes steps one after the other; one that fails keeps none of the others from it. A failure is thrown at the end. */
export async function inOrder(...steps: readonly (() => Promise<void>)[]): Promise<void> {
    const failures: unknown[] = [];
    for (const step of steps) {
        await step().catch((error: unknown) => failures.push(error));
    }
    raise(failures);
}

/** Makes a pass of the controller after each change, one at a time, until it is closed. */
export function runController(controller: Controller, log: (line: string) => void): RunningController {
    let closed = false;
    let running: Promise<void> | undefined;
    let again = false;
    let timer: { readonly handle: NodeJS.Timeout; readonly at: number } | undefined;
    let wait = backoff.first;
    let settle = () => {};
    const settled = new Promise<void>((resolve) => {
        settle = resolve;
    });
    const later = (milliseconds: number) => {
        const delay = Math.min(milliseconds, longest);
        const at = Date.now() + delay;
        if (closed || (timer && timer.at <= at)) {
            return;
        }
        clearTimeout(timer?.handle);
        timer = { at, handle: setTimeout(start, delay) };
    };
    const pass = async () => {
        try {
            const next = await controller.pass();
            wait = backoff.first;
            settle();
            if (next !== undefined) {
                later(next);
            }
        } catch (error) {
            // When somebody else changed the object first, the next pass sees it: nothing to tell.
            if (!closed && !isRefusal(error, 409)) {
                log(`${controller.name}: ${error instanceof Error ? error.message : error}`);
            }
            later(wait);
            wait = Math.min(wait * 2, backoff.most);
        }
        running = undefined;
        if (again) {
            again = false;
            later(gather);
        }
    };
    const start = () => {
        timer = undefined;
        if (running) {
            again = true;
        } else if (!closed && controller.reads.every(({ synced }) => synced)) {
            running = pass();
        }
    };
    const stops = controller.reads.map((source) => source.onChange(() => later(gather)));
    later(0);
    return {
        settled,
        close: async () => {
            closed = true;
            for (const stop of stops) {
                stop();
            }
            clearTimeout(timer?.handle);
            await running;
        },
    };
}
