import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startSandbox } from "../../sandbox/sandbox";
import type { Home } from "../sandbox/home";
import { secretValues } from "../sandbox/killed-run";
import { fault, limit } from "./fault";
import { everything, runningHome, succeeded, upRecovered, upRefreshed } from "./small-home";

let home: Home;

/** Replaces the cluster by an empty one, and keeps the previous state, as after reinstalling hosts. */
async function loseCluster(): Promise<void> {
    const [state, kept] = [".state/.pulumi", ".state/kept"].map((name) => join(home.root, name)) as [string, string];
    await home.stop();
    renameSync(state, kept);
    await home.stop("--delete");
    await startSandbox(home.root);
    renameSync(kept, state);
}

beforeAll(async () => {
    home = await runningHome();
}, limit);

afterAll(async () => home?.remove(), limit);

fault(
    {
        broken: "the cluster is gone",
        when: "idle",
        holds: "`pulumi up --refresh` rebuilds the home, and every secret has its previous value",
    },
    async (mended) => {
        const before = await everything(home);
        await loseCluster();
        expect(await secretValues(home)).toEqual({});
        mended();

        succeeded(await upRefreshed(home));

        expect(await everything(home)).toEqual(before);
    },
);

fault(
    {
        broken: "the state is gone",
        when: "idle",
        holds: "`hack/recover` and `pulumi up` finish, no secret value is lost, and nothing is duplicated",
    },
    async (mended) => {
        const before = await everything(home);
        rmSync(join(home.root, ".state/.pulumi"), { recursive: true });
        mended();

        succeeded(await home.pulumi("stack", "select", "--create"));
        succeeded(await upRecovered(home));

        expect(await everything(home)).toEqual(before);
    },
);

fault(
    {
        broken: "cluster and state are gone",
        when: "after `hack/secrets keep`",
        holds: "one command rebuilds the home, and every secret has its previous value",
    },
    async (mended) => {
        await home.restore();
        await home.stop("--delete");
        succeeded(await home.start());
        const before = await everything(home);
        succeeded(await home.hack("secrets", "keep", "--stack", "sandbox"));
        await home.stop("--delete");
        mended();

        succeeded(await home.start());

        expect(await everything(home)).toEqual(before);
    },
);
