import { MachineHome } from "./home";

// Each case builds a cluster twice.
jest.setTimeout(300_000);

let home: MachineHome;
let undisturbed: string[];

/** Without keys and tokens, which always differ. */
const fingerprints = () => Promise.all(home.machines.map((machine) => machine.fingerprint({ withSecrets: false })));

async function up(): Promise<void> {
    const { exitCode, output } = await home.stack.up();
    if (exitCode !== 0) {
        throw new Error(output);
    }
}

beforeAll(async () => {
    home = await MachineHome.create("s1", "a1");
    home.configure();
    await up();
    undisturbed = await fingerprints();
});

afterAll(async () => {
    await home?.remove();
});

/** An interruption of a run. */
const disturbances = {
    "is killed": async (run: { kill(): void }) => run.kill(),
    "loses its connection": async () => {
        // The process of the session, not the listening one.
        await home.machine("s1").run("pkill -9 -f '^sshd: root'");
        await home.machine("a1").run("pkill -9 -f '^sshd: admin'; pkill -9 -f '^sshd: root'");
    },
    "loses its first server, which starts again": async () => {
        await home.machine("s1").powerOff();
        await home.machine("s1").start();
    },
};

test.each<[keyof typeof disturbances, RegExp]>([
    ["is killed", /a1-k3s-binary creating/],
    ["is killed", /\[s1\] changed: \/etc\/hosts/],
    ["is killed", /\[a1\] changed: \/etc\/hearth\/firewall\.nft/],
    ["is killed", /\[s1\] changed: \/etc\/rancher\/k3s\/config\.yaml/],
    ["is killed", /\[a1\] changed: k3s-agent\.service runs/],
    ["loses its connection", /\[s1\] changed: \/etc\/sysctl\.d/],
    ["loses its connection", /\[s1\] changed: sshd and the firewall are active/],
    ["loses its connection", /\[s1\] changed: \/etc\/systemd\/system\/k3s\.service/],
    ["loses its first server, which starts again", /\[s1\] changed: \/etc\/hostname/],
    ["loses its first server, which starts again", /\[s1\] changed: \/usr\/local\/bin\/k3s/],
])("the next run completes a run that %s at %s, and the nodes end up the same", async (what, moment) => {
    await home.startOver();
    home.configure();
    const run = home.stack.start();
    expect(await run.prints(moment)).toBe(true);
    await disturbances[what](run);
    await run.outcome;
    // Pulumi keeps a dead run's lock on the stack.
    await home.stack.pulumi("cancel", "--yes");

    await up();

    expect((await home.liveNodes()).size).toBe(2);
    expect(await fingerprints()).toEqual(undisturbed);
});
