import type { Properties } from "../../shared/values";

/** An operation that was accepted and did not come to its end; the object is as it was last seen. */
export class PartialError extends Error {
    constructor(
        message: string,
        readonly object: Properties,
        /** What is wrong in detail. */
        readonly reasons: readonly string[] = [],
    ) {
        super(message);
    }
}
