import { type Home, until } from "../sandbox/home";
import { declaredObjects, secretValues, startAndDisturb } from "../sandbox/killed-run";
import { fault, limit } from "./fault";
import { controlPlane, freeze, inPods, kill, type Program } from "./processes";
import { runningHomeWithGitea, soon, succeeded } from "./small-home";

/** Moments at which each of the programs runs and still has work. */
const moments = {
    controlPlane: /helm\.sh\/v3:Release \S+ creating/,
    inPods: /Application cert-manager creating/,
};

let home: Home;
let objects: readonly string[];

beforeAll(async () => {
    ({ home } = await runningHomeWithGitea());
    objects = await declaredObjects(home);
}, limit);

afterAll(async () => home?.remove(), limit);

const killed: readonly (readonly [programs: readonly Program[], moment: RegExp])[] = [
    ...controlPlane.map((program) => [[program], moments.controlPlane] as const),
    [inPods, moments.inPods],
];

for (const [programs, moment] of killed) {
    fault(
        {
            broken: `SIGKILL to ${programs.join(", ")}`,
            when: "in a first run",
            holds: "this run finishes or the next one does, and nothing is lost or duplicated",
        },
        async (mended) => {
            await home.stop("--delete");
            const { code } = await startAndDisturb(
                home,
                (output) => moment.test(output),
                () => programs.map((program) => kill(home, program)),
            );
            const before = await secretValues(home);
            mended();

            if (code !== 0) {
                succeeded(await home.start());
            }

            expect(await secretValues(home)).toMatchObject(before);
            expect(await declaredObjects(home)).toEqual(objects);
        },
    );
}

fault(
    {
        broken: "SIGKILL to kube-apiserver",
        when: "in a first run, while Helm installs",
        holds: "the next run finishes, and nothing is lost or duplicated",
    },
    async (mended) => {
        await home.stop("--delete");
        const installing = ["secrets", "--all-namespaces", "--selector=owner=helm,status=pending-install"];
        const { code } = await startAndDisturb(
            home,
            (output) => moments.controlPlane.test(output),
            async () => {
                await until("Helm installs", soon, async () => {
                    const { code: failed, output } = await home.kubectl("get", ...installing, "--output=name");
                    return failed === 0 && output.startsWith("secret/");
                });
                kill(home, "kube-apiserver");
            },
        );
        expect(code).not.toBe(0);
        mended();

        succeeded(await home.start());

        expect(await declaredObjects(home)).toEqual(objects);
    },
);

for (const [programs, moment] of [
    [controlPlane, moments.controlPlane],
    [inPods, moments.inPods],
] as const) {
    fault(
        {
            broken: `SIGSTOP to ${programs.join(", ")}, for 20 s`,
            when: "in a first run",
            holds: "the run in progress finishes",
        },
        async (mended) => {
            await home.stop("--delete");
            const { code, output } = await startAndDisturb(
                home,
                (text) => moment.test(text),
                () => Promise.all(programs.map((program) => freeze(home, program, 20_000))).then(mended),
            );

            succeeded({ code, output });
            expect(await declaredObjects(home)).toEqual(objects);
        },
    );
}
