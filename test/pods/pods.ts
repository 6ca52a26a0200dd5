import type { Outcome } from "../../lib/run";
import type { MachineHome } from "../provision/home";

/** An image with a shell, which k3s brings. */
export const busybox = "rancher/mirrored-library-busybox:1.37.0";

/** Output of a command that has to succeed. */
export async function printed(outcome: Promise<Outcome>): Promise<string> {
    const { exitCode, output } = await outcome;
    if (exitCode !== 0) {
        throw new Error(output);
    }
    return output;
}

/** `kubectl` at a home's cluster; throws with its output where it fails. */
export const kubectlOf =
    (home: MachineHome) =>
    (...args: string[]): Promise<string> =>
        printed(home.kubectl(...args));
