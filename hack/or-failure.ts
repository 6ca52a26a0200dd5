import { RunError } from "@pulumi/pulumi/errors";
import { Failure } from "../lib/failure";

/**
 * Calls a part of the program that speaks to its user by Pulumi's RunError.
 *
 * @throws Failure with the same message
 */
export function orFailure<T>(call: () => T): T {
    try {
        return call();
    } catch (error) {
        throw RunError.isInstance(error) ? new Failure(error.message) : error;
    }
}
