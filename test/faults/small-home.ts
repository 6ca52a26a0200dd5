import { type GiteaAccess, Home, isReady, type Outcome, until } from "../sandbox/home";
import { declaredObjects, secretValues } from "../sandbox/killed-run";

/** Milliseconds for Argo CD to converge. */
export const soon = 180_000;

/** Throws a command's output if it did not succeed. */
export function succeeded({ code, output }: Outcome): string {
    if (code !== 0) {
        throw new Error(`it exited with ${code}:\n${output}`);
    }
    return output;
}

/** One Application in each tier. */
export const apps = ["cert-manager", "garage", "qbittorrent"];

/**
 * A home with few Applications, which is not started.
 *
 * @param prepare changes more of it before it is committed
 */
export async function smallHome(prepare: (home: Home) => void = () => {}): Promise<Home> {
    const home = await Home.create();
    home.keepApplications(...apps);
    prepare(home);
    await home.commit("a small home");
    return home;
}

async function started(home: Home): Promise<Home> {
    try {
        succeeded(await home.start());
        return home;
    } catch (error) {
        await home.remove();
        throw error;
    }
}

/** {@link smallHome}, started. */
export async function runningHome(prepare?: (home: Home) => void): Promise<Home> {
    return started(await smallHome(prepare));
}

/** A started home with few Applications and its own Gitea. */
export async function runningHomeWithGitea(): Promise<{ readonly home: Home; readonly gitea: GiteaAccess }> {
    const home = await Home.create();
    home.keepApplications(...apps, "database", "gitops");
    const access = await home.useOwnGitea();
    await home.commit("a small home with a Gitea of its own");
    await started(home);
    const password = await home.secret("gitops-secrets", "gitea-admin-password", "gitops");
    return { home, gitea: { ...access, account: { name: "hearth", password } } };
}

let changes = 0;

/** Commits a change of the qbittorrent chart that Argo CD has to roll out. */
export async function changed(home: Home): Promise<string> {
    changes += 1;
    home.edit("charts/qbittorrent/values.yaml", (text) =>
        text.replace(/memory: 5\d\dMi/, `memory: ${512 + changes}Mi`),
    );
    return home.commit(`qbittorrent: change ${changes}`);
}

/** Pushes main to the home's Gitea, as its administrator. */
export async function pushToGitea(home: Home, { url, account }: GiteaAccess): Promise<Outcome> {
    const authorized = new URL(url);
    authorized.username = account.name;
    authorized.password = encodeURIComponent(account.password);
    return home.pushTo(authorized.href, "main");
}

/** Arguments of `pulumi up`: without prompts, and with a whole tier waiting in parallel. */
export const upArgs = ["up", "--yes", "--skip-preview", "--parallel", "64"] as const;

/** `pulumi up` from docs/restore.md after a manual change. */
export async function upRefreshed(home: Home): Promise<Outcome> {
    return home.pulumi(...upArgs, "--refresh");
}

/** `pulumi up` from docs/restore.md after the loss of the state. */
export async function upRecovered(home: Home): Promise<Outcome> {
    succeeded(await home.hack("recover", "--stack", "sandbox"));
    return up(home);
}

/** `pulumi up`. */
export async function up(home: Home): Promise<Outcome> {
    return home.pulumi(...upArgs);
}

/** Reports whether every Application is Synced and Healthy on the commit. */
export async function allReady(home: Home, revision: string): Promise<boolean> {
    const applications = await home.applications().catch(() => undefined);
    return applications !== undefined && [...applications.values()].every((each) => isReady(each, revision));
}

/** Waits until every Application is Synced and Healthy on the commit. */
export async function untilReady(home: Home, revision: string, limit = soon): Promise<void> {
    await until("every Application is on the commit", limit, () => allReady(home, revision));
}

/** State that a fault must not change. */
export const everything = async (home: Home) => ({
    secrets: await secretValues(home),
    objects: await declaredObjects(home),
});
