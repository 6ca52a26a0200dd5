import { findOnPath } from "../../lib/paths";
import { aptGetInstall } from "../../toolchain/apt-get";
import type { Home } from "../sandbox/home";
import { secretValues } from "../sandbox/killed-run";
import { fault, limit } from "./fault";
import { changed, runningHome, succeeded, up, upArgs } from "./small-home";

let home: Home;

beforeAll(async () => {
    if (!findOnPath("faketime")) {
        await aptGetInstall("faketime", "Install the package faketime.", ["faketime"]);
    }
    home = await runningHome();
}, limit);

afterAll(async () => home?.remove(), limit);

// Go programs read the time from the kernel, so it cannot be faked from outside: the API server, Argo CD and Pulumi's
// engine keep the right one here. So only the user's machine has the wrong time: the program, the plugins, Git.
fault(
    {
        broken: "the clock of the machine that runs Pulumi is a day ahead",
        when: "while a commit is rolled out",
        holds: "`pulumi up` finishes, and no secret changes",
    },
    async (mended) => {
        const before = await secretValues(home);
        await changed(home);
        await home.push();
        mended();

        succeeded(await home.pulumiAt("+1d", ...upArgs));

        expect(await secretValues(home)).toEqual(before);
    },
);

fault(
    {
        broken: "the clock of the machine that runs Pulumi is two days behind",
        when: "while a commit is rolled out",
        holds: "`pulumi up` reports that a certificate is not valid yet; with the correct time, the next one finishes",
    },
    async (mended) => {
        const before = await secretValues(home);
        await changed(home);
        await home.push();
        const { code, output } = await home.pulumiAt("-2d", ...upArgs);
        expect(code).not.toBe(0);
        expect(output).toMatch(/certificate is not yet valid/);
        mended();

        succeeded(await up(home));

        expect(await secretValues(home)).toEqual(before);
    },
);
