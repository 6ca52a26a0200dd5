import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { run } from "../../lib/run";
import { linesOf } from "../docs/pages";
import type { Outcome } from "../sandbox/home";
import { createLimit, type DiskConfig, DiskHome, mount, passphrase, passphraseWords } from "./disk-home";

// Milliseconds for starting machines on a busy host.
jest.setTimeout(900_000);

const serials = ["D1", "D2", "D3", "D4"];

const named = serials.map((serial): DiskConfig => ({ serial }));

/** Four disks, of which one may be erased. */
const disks: readonly DiskConfig[] = serials.map((serial) => ({
    serial,
    ...(serial === "D4" ? { erase: "D4" } : {}),
}));

let home: DiskHome;

beforeAll(async () => {
    home = await DiskHome.create();
    home.nas.switchOn([...serials, "TWIN", "TWIN"]);
    await home.nas.hasStarted();
    await home.nas.connectBrokenDisk();
}, createLimit);

afterAll(async () => {
    await home?.remove();
});

const up = () => home.upSucceeds();

/** Messages, without Pulumi's decoration. */
const messages = ({ output }: Outcome) => output.replace(/\s+/g, " ");

/** Changes that the scripts report. */
const changes = (output: string) => output.match(/(?<=\[nas\] changed: ).*/g) ?? [];

/** The checksum of the data disks' contents. */
async function disksContent(): Promise<string[]> {
    await home.nas.output("sync");
    return serials.map((serial) =>
        createHash("sha256")
            .update(readFileSync(home.nas.diskImage(serial)))
            .digest("hex"),
    );
}

/** Creates an array of other disks on the node, under our array's name. */
async function startOtherArray(): Promise<void> {
    await home.nas.output(
        "truncate --size=64M /var/tmp/a /var/tmp/b && mdadm --create /dev/md/hearth --run --quiet --metadata=1.2 " +
            "--level=1 --raid-devices=2 $(losetup --find --show /var/tmp/a) $(losetup --find --show /var/tmp/b)",
    );
}

const stopOtherArray = () => home.nas.output("mdadm --stop --quiet /dev/md/hearth && losetup --detach-all");

/** The node's report of its array. */
const array = () => home.nas.output("mdadm --detail /dev/md/hearth");

const readData = () => home.nas.output(`cat ${mount}/letter`);

describe("disks that differ from the config", () => {
    test("are all reported at once, with their contents, and none is changed", async () => {
        await home.nas.output(
            "mkfs.ext4 -q -L photos /dev/disk/by-id/virtio-D4 && " +
                "ln -s ../../ubda /dev/disk/by-id/virtio-SYSTEM && udevadm settle",
        );
        home.configure([
            { serial: "ELSE", device: "D1" },
            { serial: "D2", size: "4TB" },
            { serial: "D3", erase: "D1" },
            { serial: "D4" },
            { serial: "ROOT", device: "SYSTEM", size: "2147MB" },
            { serial: "BROKEN", erase: "BROKEN" },
            { serial: "TWIN", erase: "TWIN" },
        ]);
        const before = await disksContent();

        const outcome = await home.up();

        expect(outcome.code).not.toBe(0);
        expect(messages(outcome)).toMatch(
            /virtio-D1 has the serial D1, expected ELSE correct its device or its serial/,
        );
        expect(messages(outcome)).toMatch(
            /virtio-D2 \(D2\) has 268435456 bytes, expected 4000000000000 .*correct its device or its size/,
        );
        expect(messages(outcome)).toMatch(/virtio-D3 \(D3\): erase names another disk, D1 correct it, or remove it/);
        expect(messages(outcome)).toMatch(/virtio-D4 \(D4\) carries data: ext4 "photos" to erase it, set .* erase: D4/);
        expect(messages(outcome)).toMatch(/virtio-SYSTEM \(ROOT\) is in use: disk ubda at \/ free it first/);
        expect(messages(outcome)).toMatch(/missing: BROKEN \(cannot be read\) \(serials\) connect them/);
        expect(messages(outcome)).toMatch(
            /virtio-TWIN \(TWIN\): \/dev\/ubd\w reports the same serial connect them by another adapter/,
        );
        expect(await disksContent()).toEqual(before);
    });

    test("with a volume group, part of an array or a btrfs are reported, whether in use or not, and none is changed", async () => {
        const device = (serial: string) => `/dev/disk/by-id/virtio-${serial}`;
        await home.nas.output(
            `pvcreate -qq ${device("D1")} && vgcreate -qq old ${device("D1")} && lvcreate -qq -l 100%FREE -n films old && ` +
                `mdadm --create /dev/md/old --run --quiet --metadata=1.2 --level=1 --raid-devices=2 ${device("D2")} missing && ` +
                `mkfs.btrfs -q -L albums ${device("D3")} && ` +
                // Like a driver whose users lsblk does not show.
                "systemd-run --quiet --unit=holder perl -MFcntl -e " +
                `'sysopen(my $disk, "${device("D3")}", O_RDONLY | O_EXCL) or die; sleep' && udevadm settle`,
        );
        home.configure(named.slice(0, 3));
        const before = await disksContent();

        const used = await home.up();
        await home.nas.output(
            "systemctl stop holder && vgchange -qq --activate n old && mdadm --stop --quiet /dev/md/old && udevadm settle",
        );
        const carried = await home.up();

        expect([used.code, carried.code]).not.toContain(0);
        expect(messages(used)).toMatch(/virtio-D1 \(D1\) is in use: lvm old-films free it first/);
        expect(messages(used)).toMatch(/virtio-D2 \(D2\) is in use: raid1 md\d+ free it first/);
        expect(messages(used)).toMatch(/virtio-D3 \(D3\) is in use: the kernel holds it/);
        expect(messages(carried)).toMatch(/virtio-D1 \(D1\) carries data: LVM2_member to erase it/);
        expect(messages(carried)).toMatch(/virtio-D2 \(D2\) carries data: linux_raid_member "\w+:old" to erase it/);
        expect(messages(carried)).toMatch(/virtio-D3 \(D3\) carries data: btrfs "albums" to erase it/);
        expect(await disksContent()).toEqual(before);
        await home.nas.output(
            `for each in ${named
                .slice(0, 3)
                .map(({ serial }) => device(serial))
                .join(" ")}; do wipefs --quiet --all $each; done`,
        );
    });
});

describe("four disks, one with data that may be erased", () => {
    test("stay untouched when something else has their mount point or their array's name", async () => {
        home.configure(disks);
        const before = await disksContent();

        await home.nas.output(`mkdir --parents ${mount} && touch ${mount}/of-before`);
        const hidden = await home.up();
        await home.nas.output(`rm ${mount}/of-before`);
        await startOtherArray();
        const taken = await home.up();
        await stopOtherArray();

        expect([hidden.code, taken.code]).not.toContain(0);
        expect(messages(hidden)).toMatch(/will be erased: \S+virtio-D4 \(D4\): ext4 "photos"/);
        expect(messages(hidden)).toContain(
            `nothing was changed on any disk, because: [nas] ${mount} contains files, which the file system would hide: move`,
        );
        expect(messages(taken)).toMatch(
            /\/dev\/md\/hearth already runs on disks that are not in the config\. Name its disks/,
        );
        expect(await disksContent()).toEqual(before);
    });

    test("become one file system, encrypted and exported, and the passphrase is never visible", async () => {
        // Every argument and variable of every process, several times a second while the scripts run.
        await home.nas.output(
            "systemd-run --quiet --unit=witness bash -c 'while [[ ! -e /run/enough ]]; do " +
                'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; sleep 0.2; done | tr "\\0" "\\n" | ' +
                "sort --unique > /var/tmp/seen'",
        );
        home.configure(disks);

        const output = await up();

        await home.nas.output(`echo 'Dear family' > ${mount}/letter && sync`);
        const seen = await home.nas.output(
            "touch /run/enough; while systemctl is-active --quiet witness; do sleep 0.2; done; " +
                "cat /var/tmp/seen; journalctl --boot",
        );
        expect(seen.split("\n")).toEqual(expect.arrayContaining(["luksFormat", "open", "--key-file=-"]));
        // Booleans: a failure must not print what it has found.
        expect(seen.includes(passphraseWords)).toBe(false);
        expect(output.includes(passphraseWords)).toBe(false);
        expect(home.filesWithPassphrase()).toEqual([]);

        expect(output).toMatch(/erases, because of `erase` in the config:[\s\S]{0,200}virtio-D4 \(D4\): ext4 "photos"/);
        expect(await array()).toMatch(/Raid Level : raid6[\s\S]*Raid Devices : 4/);
        const types = await home.nas.output("lsblk --noheadings --nodeps --output FSTYPE /dev/disk/by-id/virtio-D?");
        expect(types.trim().split(/\s+/)).toEqual(Array(4).fill("crypto_LUKS"));
        expect(await home.nas.output(`findmnt --noheadings --output SOURCE,FSTYPE ${mount}`)).toMatch(/md\d+ +ext4/);
        const found = await run("grep", ["--quiet", "--fixed-strings", passphraseWords, home.nas.rootImage]);
        expect(found).toEqual({ exitCode: 1, output: "" });
    });

    test("are left unchanged by a second run, which reports it", async () => {
        expect(await up()).not.toContain("[nas]");

        // Without the state, the scripts inspect the disks again. The config still allows erasing D4.
        await home.forget();
        const output = await up();
        expect(changes(output)).toEqual([]);
        expect(output).toContain("[nas] unchanged");
        expect(await readData()).toBe("Dear family\n");
    });

    test("are mounted over NFS only by hosts in the allowed range", async () => {
        home.tv.switchOn();
        await home.tv.hasStarted();
        const mountIt = `mkdir -p /mnt && mount -t nfs4 -o retry=0 ${home.nas.address}:${mount} /mnt`;
        expect(await home.tv.output(`${mountIt} && cat /mnt/letter && echo seen > /mnt/tv`)).toBe("Dear family\n");
        expect(await home.nas.output(`cat ${mount}/tv`)).toBe("seen\n");

        await home.tv.output(
            "umount /mnt && ip address add 10.77.0.99/24 dev eth0 && " +
                `ip route add ${home.nas.address} dev eth0 src 10.77.0.99`,
        );
        const outside = await home.tv.run(mountIt);
        expect(outside.output).toContain("access denied by server");
        await home.tv.powerOff();
    });
});

describe("after a reboot", () => {
    let initramfsKey = "";

    test("the node waits for the passphrase, with its own host key, which is in the stack", async () => {
        await home.nas.reboot();
        initramfsKey = await home.nas.asksForPassphrase();
        const output = await home.pulumi(["stack", "output", "--json", "--stack", "test"]);
        expect(JSON.parse(output)).toEqual({ unlockHostKeys: { nas: initramfsKey } });
    });

    test("the passphrase is sent to no other host key", async () => {
        home.configure(disks, { hostKey: home.nas.hostKey });
        const { code, output } = await home.unlock();
        expect(code).toBe(1);
        expect(output).toContain("does not have the host key of the initramfs in the config");
        expect(output).toContain("the passphrase was not sent");
        home.configure(disks);
    });

    test("a wrong passphrase opens nothing, and the node keeps waiting", async () => {
        await home.setPassphrase("a passphrase of another home");
        const { code, output } = await home.unlock();
        expect(code).toBe(1);
        expect(output).toContain("wrong passphrase: it does not open /dev/");
        await home.setPassphrase(passphrase);
        expect(await home.nas.asksForPassphrase()).toBe(initramfsKey);
    });

    test("a key that may unlock can do nothing else there", async () => {
        const { output } = await home.run(
            "ssh",
            ...["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes"],
            ...[`root@${home.nas.address}`, "cat /etc/passwd"],
        );
        expect(output).toContain("wrong passphrase");
        expect(output).not.toContain("root:");
    });

    test("the commands of docs/storage.md open the disks, and the data is intact", async () => {
        await home.pulumi(["stack", "select", "test"]);
        const [line = "", ...others] = linesOf("docs/storage.md");
        expect(others).toEqual([]);
        const { code, output } = await home.run("sh", "-c", line);
        expect({ code, output }).toHaveEndedWith(0);
        expect(output).toContain("nas is up");
        expect(output.includes(passphraseWords)).toBe(false);
        await home.nas.hasStarted();
        expect(await readData()).toBe("Dear family\n");
        expect(await array()).toMatch(/State : (clean|active)[^,]*\n/);
    });
});

describe("when a disk has died", () => {
    const left = ["D1", "D2", "D4"];

    test("the node starts without it once it is unlocked, and pulumi up reports it", async () => {
        await home.nas.powerOff();
        home.nas.switchOn(left);
        await home.nas.asksForPassphrase();
        const { code, output } = await home.unlock();
        expect({ code, output }).toHaveEndedWith(0);
        await home.nas.hasStarted();
        expect(await readData()).toBe("Dear family\n");

        await home.forget();
        const warnings = await up();
        expect(warnings).toContain("[nas] warning: missing: D3 (serials)");
        expect(warnings).toMatch(/\[nas\] warning: \/dev\/md\/hearth runs without 1 of 4 disks, and can lose 1 more/);
        expect(await readData()).toBe("Dear family\n");
    });

    test("a reinstalled system adopts the remaining disks, and another disk replaces the dead one", async () => {
        await home.nas.powerOff();
        await home.nas.install();
        home.nas.switchOn([...left, "D5"]);
        await home.nas.hasStarted();
        const replaced = disks.map((disk) => (disk.serial === "D3" ? { serial: "D5" } : disk));
        home.configure(replaced, null);

        await home.nas.output(
            'dmsetup create holder --table "0 $(blockdev --getsz /dev/disk/by-id/virtio-D1) linear /dev/disk/by-id/virtio-D1 0"',
        );
        const held = await home.up();
        await home.nas.output("dmsetup remove holder");
        await startOtherArray();
        const taken = await home.up();
        await stopOtherArray();

        expect([held.code, taken.code]).not.toContain(0);
        expect(messages(held)).toMatch(
            /\/dev\/\w+ \(D1\) cannot be opened, for another reason than its passphrase: see cryptsetup's message above/,
        );
        expect(messages(taken)).toMatch(/\/dev\/md\/hearth runs, and these disks belong to another array/);
        expect(changes(held.output + taken.output).filter((each) => !each.startsWith("opened "))).toEqual([]);

        const output = await up();

        // The array is started by udev as soon as its last disk is open, or else by the script.
        expect(changes(output)).toEqual(
            expect.arrayContaining([
                expect.stringMatching(/^encrypted \/dev\/\w+ \(D5\)/),
                expect.stringMatching(/^added \/dev\/\w+ \(D5\) to \/dev\/md\/hearth/),
            ]),
        );
        expect(output).not.toMatch(/changed: (encrypted \S+ \(D[124]\)|made )/);
        expect(await readData()).toBe("Dear family\n");
    });
});
