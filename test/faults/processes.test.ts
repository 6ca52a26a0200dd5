import type { GiteaAccess, Home } from "../sandbox/home";
import { until } from "../sandbox/home";
import { fault, limit } from "./fault";
import { controlPlane, freeze, inPods, kill, type Program, pidsOf } from "./processes";
import {
    allReady,
    changed,
    everything,
    pushToGitea,
    runningHomeWithGitea,
    soon,
    succeeded,
    untilReady,
    up,
} from "./small-home";

let home: Home;
let gitea: GiteaAccess;

beforeAll(async () => {
    ({ home, gitea } = await runningHomeWithGitea());
}, limit);

afterAll(async () => home?.remove(), limit);

describe.each([...controlPlane, ...inPods])("%s", (program: Program) => {
    fault(
        {
            broken: `SIGKILL to ${program}`,
            when: "idle",
            holds: "`npm start` restarts it, and the next commit is rolled out",
        },
        async (mended) => {
            const before = await everything(home);
            kill(home, program);
            mended();

            succeeded(await home.start());
            await until(`${program} runs`, soon, async () => pidsOf(home, program).length > 0);
            const revision = await changed(home);
            await until("the commit is pushed", soon, async () => (await pushToGitea(home, gitea)).code === 0);
            succeeded(await up(home));

            await untilReady(home, revision);
            expect(await everything(home)).toEqual(before);
        },
    );

    fault(
        {
            broken: `SIGSTOP to ${program}, for 20 s`,
            when: "while a commit is rolled out",
            holds: "the `pulumi up` in progress finishes",
        },
        async (mended) => {
            const before = await everything(home);
            const revision = await changed(home);
            succeeded(await pushToGitea(home, gitea));
            const frozen = freeze(home, program, 20_000);
            const run = up(home);
            await frozen;
            mended();

            succeeded(await run);

            expect(await allReady(home, revision)).toBe(true);
            expect(await everything(home)).toEqual(before);
        },
    );
});
