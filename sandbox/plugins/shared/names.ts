import { createHash, randomBytes } from "node:crypto";

/**
 * A name with eight random hexadecimal digits.
 *
 * @param seed what the digits are made from, so that a preview and its update make the same; random when empty
 */
export function uniqueName(prefix: string, seed: Uint8Array = new Uint8Array()): string {
    const digits = seed.length > 0 ? createHash("sha256").update(seed).digest() : randomBytes(4);
    return prefix + digits.subarray(0, 4).toString("hex");
}
