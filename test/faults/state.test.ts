import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Home, until } from "../sandbox/home";
import { fault, limit } from "./fault";
import { changed, everything, runningHome, soon, succeeded, up, upRecovered } from "./small-home";

let home: Home;

const state = () => join(home.root, ".state/.pulumi");

/** The locks on the stack; their folder is made with the first one. */
function locks(): string[] {
    const folder = join(state(), "locks/organization/hearth/sandbox");
    return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
}

beforeAll(async () => {
    home = await runningHome();
}, limit);

afterAll(async () => home?.remove(), limit);

fault(
    {
        broken: "two people run `pulumi up`",
        when: "at once",
        holds: "the first one finishes; the other names the lock's owner, changes nothing, and succeeds when rerun",
    },
    async (mended) => {
        const before = await everything(home);
        await changed(home);
        await home.push();

        const first = up(home);
        await until("the first one has the lock", soon, async () => locks().length > 0);
        const second = await up(home);

        expect(second.code).not.toBe(0);
        expect(second.output).toMatch(/the stack is currently locked by 1 lock\(s\)/);
        succeeded(await first);
        mended();
        expect(await home.hack("recover", "--stack", "sandbox")).toEqual({
            code: 0,
            output: "Nothing blocks `npx pulumi up --stack sandbox`\n",
        });
        succeeded(await up(home));
        expect(await everything(home)).toEqual(before);
    },
);

fault(
    {
        broken: "two people run `npm start`",
        when: "at once",
        holds: "one run finishes; the other reports the run in progress",
    },
    async () => {
        const outcomes = await Promise.all([home.start(), home.start()]);

        expect(outcomes.map(({ code }) => code).sort()).toEqual([0, 1]);
        expect(outcomes.find(({ code }) => code !== 0)?.output).toMatch(
            /another `npm start` or `npm stop` is running on this sandbox/,
        );
    },
);

fault(
    {
        broken: "the state is yesterday's, and lacks an Application with its generated secrets",
        when: "idle",
        holds: "`hack/recover` and `pulumi up` finish, no secret value is lost, and nothing is duplicated",
    },
    async (mended) => {
        const yesterday = join(home.root, ".sandbox/yesterday");
        cpSync(state(), yesterday, { recursive: true });
        const manifest = "clusters/home/apps/freshrss.yaml";
        home.write(manifest, readFileSync(resolve(__dirname, "../..", manifest), "utf8"));
        home.edit("clusters/home/kustomization.yaml", (text) =>
            text.replace(/^ {2}- apps\//m, "  - apps/freshrss.yaml\n$&"),
        );
        await home.commit("with freshrss, whose secret is generated");
        succeeded(await home.start());
        const before = await everything(home);
        expect(Object.keys(before.secrets)).toContain("freshrss.admin-password");

        rmSync(state(), { recursive: true });
        cpSync(yesterday, state(), { recursive: true });
        mended();

        succeeded(await upRecovered(home));
        expect(await everything(home)).toEqual(before);
    },
);
