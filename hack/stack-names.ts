import { readdirSync } from "node:fs";

/** The stacks that have a file in the checkout, which is the working directory. */
export function stackNames(): string[] {
    return readdirSync(".").flatMap((file) => /^Pulumi\.(.+)\.yaml$/.exec(file)?.[1] ?? []);
}
