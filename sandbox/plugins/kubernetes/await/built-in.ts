import type { Properties } from "../../shared/values";
import type { Cluster } from "../cluster";
import type { Display } from "./display";
import type { Waiting } from "./wait";

/** How one kind becomes ready. */
export interface Awaiter {
    /** Waits after a create (before is undefined) or an update; see awaitReady. */
    wait?(waiting: Waiting, current: Properties, before: Properties | undefined): Promise<Properties>;
    /** Checks at once, on a refresh; see checkReady. */
    check?(context: { readonly cluster: Cluster; readonly display: Display }, live: Properties): Promise<void>;
}

/** By `apiVersion/kind`. Other kinds are ready as soon as they exist. */
export const builtInAwaiters = new Map<string, Awaiter>();
