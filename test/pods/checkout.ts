import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../lib/run";
import type { MachineHome } from "../provision/home";
import { cluster, domain, pool, writeApplications } from "./applications";
import { printed } from "./pods";
import { chartRepository, registries } from "./surroundings";

const git = (folder: string, ...args: string[]) =>
    printed(run("git", ["-C", folder, "-c", "user.name=Somebody", "-c", "user.email=somebody@home.arpa", ...args]));

/** Pins a release of the k3s stand-in in the home's checkout, like Renovate. */
function setRelease(home: MachineHome, of?: string): void {
    const { version, sha256 } = home.release(of);
    const release = { version, sha256: { x86_64: sha256, aarch64: sha256 } };
    writeFileSync(
        join(home.stack.folder, "provision/k3s-release.ts"),
        `export const k3sRelease = ${JSON.stringify(release)} as const;\n`,
    );
}

/**
 * Turns the checkout of a home's stack into one like a user's: the Applications that can run here, the release of the
 * k3s stand-in, a commit, and the stack's config. The program is unchanged.
 */
export async function prepareCheckout(home: MachineHome): Promise<void> {
    const { folder } = home.stack;
    writeApplications(folder);
    setRelease(home);
    home.stack.configure({
        domain,
        cluster,
        nodes: home.nodes(),
        k3s: { source: home.source },
        registries,
        charts: { repository: chartRepository },
        loadBalancer: { addresses: [pool] },
    });
    await git(folder, "init", "--quiet", "--initial-branch=main");
    await git(folder, "add", "--all", "--", ":!node_modules", ":!.state", ":!Pulumi.test.yaml", ":!secrets.yaml");
    await git(folder, "commit", "--quiet", "--message=feat: a home");
}
