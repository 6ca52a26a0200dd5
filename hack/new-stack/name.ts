import { dnsLabel } from "../../lib/dns-label";

/** The stacks that every checkout contains: the example, and the sandbox. */
const reserved = ["home", "sandbox"];

/** Mistake in the name of a new stack, in words; undefined if it is valid. */
export function nameMistake(name: string): string | undefined {
    if (reserved.includes(name)) {
        return `expected another name, Pulumi.${name}.yaml is part of the repository`;
    }
    return dnsLabel.test(name) ? undefined : "expected lower-case letters, digits and hyphens";
}
