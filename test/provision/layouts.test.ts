import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Outcome } from "../sandbox/home";
import { createLimit, type DiskConfig, DiskHome, mount } from "./disk-home";

// Milliseconds for starting machines on a busy host.
jest.setTimeout(900_000);

const serials = ["D1", "D2", "D3", "D4", "D5"];

let home: DiskHome;

beforeAll(async () => {
    home = await DiskHome.create();
    home.nas.switchOn(serials);
    await home.nas.hasStarted();
}, createLimit);

afterAll(async () => {
    await home?.remove();
});

const named = (...names: readonly string[]): DiskConfig[] => names.map((serial) => ({ serial }));

const up = () => home.upSucceeds();

/** Output on one line. */
const messages = ({ output }: Outcome) => output.replace(/\s+/g, " ");

const array = () => home.nas.output("mdadm --detail /dev/md/hearth");
const readData = () => home.nas.output(`cat ${mount}/letter`);
const size = async () => Number(await home.nas.output(`df --output=size ${mount} | tail -n 1`));
const content = (serial: string) =>
    createHash("sha256")
        .update(readFileSync(home.nas.diskImage(serial)))
        .digest("hex");

/** Waits for the array's background work, and for the file system's growth. */
const settled = () =>
    home.nas.output("mdadm --wait /dev/md/hearth; while systemctl is-active --quiet hearth-grow; do sleep 1; done");

/** Makes the disks blank, like new ones. */
async function replaceDisks(): Promise<void> {
    await home.nas.output(
        `umount ${mount}; mdadm --stop /dev/md/hearth; for each in /dev/mapper/hearth-*; do cryptsetup close $each; done; ` +
            "sed -i '/# hearth$/d' /etc/fstab; for each in /dev/disk/by-id/virtio-D?; do wipefs --quiet --all $each; done",
    );
    await home.forget();
}

describe("a single disk", () => {
    test("is encrypted, and is mounted again after an unattended reboot", async () => {
        home.configure(named("D1"), null);

        const output = await up();
        await home.nas.output(`echo 'Dear family' > ${mount}/letter`);
        await home.nas.reboot();
        await home.nas.hasStarted();

        expect(output).toContain("disks.key opens the data disks when nas starts: a thief of the whole node can");
        expect(await home.nas.output("lsblk --noheadings --nodeps --output FSTYPE /dev/disk/by-id/virtio-D1")).toBe(
            "crypto_LUKS\n",
        );
        expect(await home.nas.output("stat --format '%a %U' /etc/hearth/disks.key")).toBe("600 root\n");
        expect(await readData()).toBe("Dear family\n");
        await home.forget();
        expect(await up()).toContain("[nas] unchanged");
    });

    test("is not mirrored to a disk with foreign data, and that disk stays unchanged", async () => {
        await home.nas.output("mkfs.ext4 -q -L photos /dev/disk/by-id/virtio-D2 && sync");
        const before = content("D2");
        home.configure(named("D1", "D2"), null);

        const outcome = await home.up();

        expect(outcome.code).not.toBe(0);
        expect(messages(outcome)).toMatch(/virtio-D2 \(D2\) carries data: ext4 "photos" to erase it, set .* erase: D2/);
        await home.nas.output("sync");
        expect(content("D2")).toBe(before);
    });

    test("becomes a mirror with a second one, while its files are in use", async () => {
        home.configure([{ serial: "D1" }, { serial: "D2", erase: "D2" }], null);

        const output = await up();

        expect(output).toMatch(/changed: \/dev\/md\/hearth grows from 1 disks to 2/);
        expect(await readData()).toBe("Dear family\n");
        await settled();
        expect(await array()).toMatch(/Raid Level : raid1[\s\S]*Raid Devices : 2[\s\S]*State : (clean|active) *\n/);
    });

    test("is served by its mirror after it has died", async () => {
        await home.nas.powerOff();
        home.nas.switchOn(["D2", "D3", "D4", "D5"]);
        await home.nas.hasStarted();
        expect(await readData()).toBe("Dear family\n");

        await home.forget();
        const output = await up();

        expect(output).toContain("[nas] warning: missing: D1 (serials)");
        expect(output).toMatch(/\/dev\/md\/hearth runs without 1 of 2 disks, and can lose 0 more/);
    });
});

describe("four disks", () => {
    test("become RAID6, and a fifth enlarges the array, despite interruptions", async () => {
        await home.nas.powerOff();
        home.nas.switchOn(serials);
        await home.nas.hasStarted();
        await replaceDisks();
        home.configure(named("D1", "D2", "D3", "D4"), null);
        await up();
        await home.nas.output(`echo 'Dear family' > ${mount}/letter`);
        expect(await array()).toMatch(/Raid Level : raid6[\s\S]*Raid Devices : 4/);

        home.configure(named("D1", "D2", "D3", "D4", "D5"), null);
        await settled();
        const before = await size();
        const blank = content("D5");
        await home.nas.output(
            "echo 500 > /proc/sys/dev/raid/speed_limit_max; echo check > /sys/block/md*/md/sync_action",
        );
        const early = await home.up();
        expect(content("D5")).toBe(blank);
        await home.nas.output("echo idle > /sys/block/md*/md/sync_action");
        const output = await up();

        expect(early.code).not.toBe(0);
        expect(messages(early)).toContain(
            "grows only when it is complete and idle, and it is check, without 0 of 4 disks",
        );

        expect(output).toMatch(/changed: \/dev\/md\/hearth grows from 4 disks to 5/);
        expect(await home.nas.output("cat /sys/block/md*/md/sync_action")).toBe("reshape\n");
        await home.nas.powerOff();
        home.nas.switchOn(serials);
        await home.nas.hasStarted();
        expect(await readData()).toBe("Dear family\n");
        await settled();
        expect(await array()).toMatch(/Raid Devices : 5[\s\S]*State : (clean|active) *\n/);
        expect(await size()).toBeGreaterThan(before * 1.3);
        expect(await readData()).toBe("Dear family\n");
    });

    test("no longer open by themselves once unlock is configured", async () => {
        home.configure(named(...serials));
        const output = await up();
        expect(output).toContain("disks.key was deleted");
        expect(
            await home.nas.output("for each in /dev/disk/by-id/virtio-D?; do cryptsetup luksDump $each; done"),
        ).not.toMatch(/^ {2}31: /m);
        await home.nas.reboot();
        await home.nas.asksForPassphrase();
        expect(await home.unlock()).toHaveEndedWith(0);
        await home.nas.hasStarted();
        expect(await readData()).toBe("Dear family\n");
    });
});

describe("three disks", () => {
    test("become RAID5 if the config requires it, and keep it with a fourth", async () => {
        await replaceDisks();
        home.configure(named("D1", "D2", "D3"), null, 5);
        await up();
        await home.nas.output(`echo 'Dear family' > ${mount}/letter`);
        await settled();
        const before = await size();
        expect(await array()).toMatch(/Raid Level : raid5[\s\S]*Raid Devices : 3[\s\S]*State : (clean|active) *\n/);

        home.configure(named("D1", "D2", "D3", "D4"), null);
        const blank = content("D4");
        const other = await home.up();
        expect(other.code).not.toBe(0);
        expect(messages(other)).toContain(
            '/dev/md/hearth is RAID5, and the config names RAID6. Nothing was changed: the level of an array cannot change. Set "raid: 5"',
        );
        expect(content("D4")).toBe(blank);

        home.configure(named("D1", "D2", "D3", "D4"), null, 5);
        expect(await up()).toMatch(/changed: \/dev\/md\/hearth grows from 3 disks to 4/);
        await settled();
        expect(await size()).toBeGreaterThan(before * 1.3);
        expect(await readData()).toBe("Dear family\n");
    });

    test("a new disk in addition to all of them is rejected unless the array grows by it", async () => {
        const blank = content("D5");
        home.configure(named("D1", "D2", "D3", "D5"), null, 5);
        const { code, output } = await home.up();
        expect(code).not.toBe(0);
        expect(messages({ code, output })).toContain(
            "D5 (serials) are new, and /dev/md/hearth is complete with a disk that is not in the config",
        );
        expect(content("D5")).toBe(blank);
    });
});
