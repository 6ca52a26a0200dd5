import * as pulumi from "@pulumi/pulumi";
import { Storage } from "../../../provision/storage";
import { Unattended } from "../../../provision/unattended";
import { Unlock } from "../../../provision/unlock";
import { mockEngine, type Registered, settled } from "../components/mocks";
import { publicKey } from "../keys";

const node = { name: "nas", address: "192.168.1.10", port: 22, user: "root", hostKey: publicKey };
const disks = ["A", "B", "C", "D"].map((serial) => ({
    device: `/dev/disk/by-id/ata-${serial}`,
    size: "4TB",
    serial,
}));
const passphrase = "it's a passphrase with a quote";
const secretMark = "4dabf18193072939515e22adb298388d";

let registered: Registered[];
beforeEach(async () => {
    registered = await mockEngine();
});

const scripts = () => registered.filter(({ type }) => type === "command:remote:Command");

/** The node's standard input, which must be marked as secret. */
function secretInput({ inputs }: Registered): string {
    expect(inputs["stdin"]).toMatchObject({ [secretMark]: expect.any(String) });
    return (inputs["stdin"] as { value: string }).value;
}

test("the passphrase reaches the node only by standard input, as a secret", async () => {
    const opts = { node, ssh: { privateKey: "key" }, disks, passphrase, mount: "/export", clients: ["10.0.0.1"] };
    new Storage("nas-storage", opts);
    await settled();

    const [script] = scripts();
    if (script === undefined) {
        throw new Error("no script was registered");
    }
    expect(secretInput(script)).toContain("passphrase='it'\\''s a passphrase with a quote'\n");
    const { stdin: _, ...rest } = script.inputs;
    expect(JSON.stringify(rest)).not.toContain("a passphrase");
    expect(script.parent).toContain("hearth:provision:Storage::nas-storage");
});

test("only the disk that the config names is offered for erasing", async () => {
    const [first, ...others] = disks.map((disk) => ({ ...disk, ...(disk.serial === "A" ? { erase: "A" } : {}) }));
    if (first === undefined) {
        throw new Error("no disks");
    }
    new Storage("nas-storage", {
        node,
        ssh: { privateKey: "key" },
        disks: [first, ...others],
        passphrase,
        mount: "/export",
        clients: ["10.0.0.1", "10.0.0.2"],
    });
    await settled();

    const input = scripts().map(secretInput).join();
    expect(input).toContain(
        "disks='/dev/disk/by-id/ata-A A A 4000000000000\n/dev/disk/by-id/ata-B B - 4000000000000\n",
    );
    expect(input).toContain("clients='10.0.0.1 10.0.0.2'\n");
});

test("unlocking is set up after the disks", async () => {
    const storage = new Storage("nas-storage", {
        node,
        ssh: { privateKey: "key" },
        disks,
        passphrase,
        mount: "/export",
        clients: ["10.0.0.1"],
    });
    const unlock = new Unlock(
        "nas-unlock",
        {
            node,
            ssh: { privateKey: "key" },
            ...{ disks, passphrase },
            unlock: { address: "192.168.1.10/24", gateway: "192.168.1.1", interface: "eth0", keys: ["ssh-ed25519 B"] },
        },
        { dependsOn: storage },
    );
    // The host key is public: it is what the user compares and pins.
    expect(await pulumi.isSecret(unlock.hostKey)).toBe(false);
    await settled();

    const [first, second] = scripts();
    expect(second?.dependencies).toContain(first?.urn);
    const { stdin: _, ...rest } = second?.inputs ?? {};
    expect(JSON.stringify(rest)).not.toContain("a passphrase");
});

test("a node without unlock gets a key file, and the passphrase stays a secret", async () => {
    new Unattended("nas-unattended", { node, ssh: { privateKey: "key" }, disks, passphrase });
    await settled();

    const [script] = scripts();
    if (script === undefined) {
        throw new Error("no script was registered");
    }
    expect(secretInput(script)).toContain("passphrase='it'\\''s a passphrase with a quote'\n");
    const { stdin: _, ...rest } = script.inputs;
    expect(JSON.stringify(rest)).not.toContain("a passphrase");
});

test.each([
    ["one disk", 1, undefined, "1"],
    ["three disks", 3, undefined, "1"],
    ["three disks, as RAID5", 3, 5, "5"],
    ["four disks", 4, undefined, "6"],
    ["four disks, as copies", 4, 1, "1"],
] as const)("%s have their RAID level", async (_, count, raid, level) => {
    const some = disks.slice(0, count);
    new Storage("nas-storage", {
        ...{ node, ssh: { privateKey: "key" }, disks: some, raid, passphrase, mount: "/export", clients: ["10.0.0.1"] },
    });
    await settled();
    expect(scripts().map(secretInput).join()).toContain(`raid='${level}'\n`);
});
