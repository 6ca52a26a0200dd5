import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
    appendFileSync,
    cpSync,
    existsSync,
    mkdirSync,
    mkdtempSync,
    readdirSync,
    readFileSync,
    renameSync,
    rmSync,
    symlinkSync,
    truncateSync,
    writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { withLock } from "../../../lib/lock";
import { findOnPath } from "../../../lib/paths";
import { type Outcome, run } from "../../../lib/run";
import { aptGetInstall } from "../../../toolchain/apt-get";
import { until } from "../../sandbox/home";
import { debianRoot } from "./debian";
import { hardwareAddress, type Network } from "./network";

/** Milliseconds for a machine to start on a busy host. */
const startLimit = 600_000;

/** Debian's kernel as a program of the host, and the folder with its modules, by version. */
const kernel = { program: "linux.uml", modules: "/usr/lib/uml/modules" };

/** Packages that the scripts install on a node with data disks, those that make an initramfs, and those of other data. */
const packages = [
    ...["btrfs-progs", "lvm2"],
    ...["linux-base", "initramfs-tools", "busybox", "e2fsprogs"],
    ...["cryptsetup", "cryptsetup-initramfs", "dropbear-initramfs", "mdadm", "nfs-kernel-server"],
];

/** Units that only cost time, or need hardware that the kernel does not support. */
const masked = [
    ...["getty.target", "systemd-hwdb-update.service", "systemd-pcrphase.service", "logrotate.timer", "man-db.timer"],
    ...["apt-daily.timer", "apt-daily-upgrade.timer", "unattended-upgrades.service", "e2scrub_reap.service"],
    ...["apparmor.service", "iscsid.socket", "systemd-update-utmp.service", "sys-fs-fuse-connections.mount"],
];

/**
 * Image of a root file system with Debian, the kernel's modules and their initramfs. It is built once, since an
 * initramfs takes longer than the start of a machine, and kept next to the Debian root.
 */
async function installedImage(): Promise<string> {
    const base = await debianRoot(packages);
    const [release = ""] = readdirSync(kernel.modules);
    const image = `${base}-uml-${release}.img`;
    await withLock(
        `${image}.lock`,
        () => undefined,
        async () => {
            if (!existsSync(image)) {
                makeImage(base, release, `${image}.unfinished`);
                renameSync(`${image}.unfinished`, image);
            }
        },
    );
    return image;
}

function makeImage(base: string, release: string, image: string): void {
    const folder = mkdtempSync(join(tmpdir(), "hearth-vm-image-"));
    const [upper, work, root] = ["upper", "work", "root"].map((name) => join(folder, name)) as [string, string, string];
    for (const each of [upper, work, root]) {
        mkdirSync(each);
    }
    execFileSync("mount", [
        "-t",
        "overlay",
        "overlay",
        "-o",
        `lowerdir=${base},upperdir=${upper},workdir=${work}`,
        root,
    ]);
    try {
        cpSync(join(kernel.modules, release), join(root, "lib/modules", release), { recursive: true });
        // Debian's tools make an initramfs for each kernel in /boot. This one is started by the host.
        writeFileSync(join(root, `boot/vmlinuz-${release}`), "");
        writeFileSync(join(root, `boot/config-${release}`), execFileSync(kernel.program, ["--showconfig"]));
        const small = "MODULES=list\nCOMPRESS=gzip\nCOMPRESSLEVEL=1\n";
        writeFileSync(join(root, "etc/initramfs-tools/conf.d/small"), small);
        execFileSync("chroot", [root, "update-initramfs", "-c", "-k", release], { stdio: "pipe" });
        rmSync(image, { force: true });
        writeFileSync(image, "");
        truncateSync(image, 2 * 2 ** 30);
        execFileSync("mkfs.ext4", ["-q", "-F", "-d", root, image]);
    } finally {
        execFileSync("umount", [root]);
        rmSync(folder, { recursive: true });
    }
}

/** Arguments of {@link VirtualMachine.create}. */
export interface VirtualMachineArgs {
    /** Its host name. */
    readonly name: string;
    /** IPv4 address in 10.77.0.0/24. */
    readonly address: string;
    readonly network: Network;
    /** File with the private key for root's login; its public half is next to it. */
    readonly key: string;
}

/**
 * A machine with Debian and its kernel as a program of the host, User-mode Linux: with block devices, arrays, encryption
 * and an initramfs of its own, and reboots. It needs no virtualization of the processor, and runs wherever the tests do.
 */
export class VirtualMachine {
    readonly name: string;
    readonly address: string;
    private readonly folder: string;
    private child: ChildProcess | undefined;
    private disks: readonly string[] = [];

    private constructor(private readonly args: VirtualMachineArgs) {
        this.name = args.name;
        this.address = args.address;
        this.folder = mkdtempSync(join(tmpdir(), `hearth-vm-${args.name}-`));
    }

    /** Creates a newly installed machine, switched off. */
    static async create(args: VirtualMachineArgs): Promise<VirtualMachine> {
        if (!findOnPath(kernel.program)) {
            const needed = ["user-mode-linux", "e2fsprogs", "iproute2", "openssh-client"];
            const howToGetIt = `The machines of the tests with disks need it: install ${needed.join(", ")}.`;
            await aptGetInstall(kernel.program, howToGetIt, needed);
        }
        const machine = new VirtualMachine(args);
        const { namespace } = args.network;
        const tap = `t-${args.name}`;
        execFileSync("ip", ["-n", namespace, "tuntap", "add", "dev", tap, "mode", "tap"]);
        execFileSync("ip", ["-n", namespace, "link", "set", tap, "master", "bridge", "up"]);
        await machine.install();
        return machine;
    }

    /** Public key of its sshd. */
    get hostKey(): string {
        return readFileSync(join(this.folder, "host-key.pub"), "utf8").split(" ").slice(0, 2).join(" ");
    }

    /** Image of its root file system, without unwritten data in its memory. */
    get rootImage(): string {
        return join(this.folder, "root.img");
    }

    /** Image of a data disk, created blank at its first use. */
    diskImage(serial: string): string {
        const image = join(this.folder, `disk-${serial}.img`);
        appendFileSync(image, "");
        truncateSync(image, 256 * 2 ** 20);
        return image;
    }

    /** Replaces its system with a new Debian; data disks stay unchanged. */
    async install(): Promise<void> {
        const image = await installedImage();
        const root = join(this.folder, "root");
        mkdirSync(root);
        rmSync(join(this.folder, "host-key"), { force: true });
        execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(this.folder, "host-key")]);
        execFileSync("cp", ["--sparse=always", image, this.rootImage]);
        execFileSync("mount", ["-o", "loop", this.rootImage, root]);
        try {
            this.personalize(root);
        } finally {
            execFileSync("umount", [root]);
        }
        rmSync(root, { recursive: true });
    }

    private personalize(root: string): void {
        const write = (path: string, text: string, mode = 0o644) => {
            mkdirSync(dirname(join(root, path)), { recursive: true });
            writeFileSync(join(root, path), text, { mode });
        };
        write("/etc/hostname", `${this.name}\n`);
        write("/etc/hosts", `127.0.0.1 localhost ${this.name}\n`);
        write("/etc/fstab", "/dev/ubda / ext4 defaults 0 1\n");
        write(
            "/etc/systemd/network/10-home.network",
            `[Match]\nName=eth0\n[Network]\nAddress=${this.address}/24\nGateway=10.77.0.1\nIPv6AcceptRA=no\nLinkLocalAddressing=no\n`,
        );
        // Names of a virtual machine's disks.
        write(
            "/etc/udev/rules.d/61-disks.rules",
            'KERNEL=="ubd*[!0-9]", ATTR{serial}=="?*", ENV{ID_SERIAL}="$attr{serial}"\n' +
                'KERNEL=="dm-*", ENV{DM_NAME}=="BROKEN", ENV{ID_SERIAL}="BROKEN"\n' +
                'ENV{ID_SERIAL}=="?*", SYMLINK+="disk/by-id/virtio-$env{ID_SERIAL}"\n',
        );
        for (const type of ["rsa", "ecdsa", "ed25519"]) {
            rmSync(join(root, `/etc/ssh/ssh_host_${type}_key`), { force: true });
        }
        write("/etc/ssh/ssh_host_ed25519_key", readFileSync(join(this.folder, "host-key"), "utf8"), 0o600);
        write("/root/.ssh/authorized_keys", readFileSync(`${this.args.key}.pub`, "utf8"), 0o600);
        for (const unit of masked) {
            symlinkSync("/dev/null", join(root, "/etc/systemd/system", unit));
        }
        execFileSync("chroot", [root, "systemctl", "--quiet", "enable", "systemd-networkd.service", "ssh.service"]);
    }

    /** Switches it on, with the data disks that have these serial numbers. */
    switchOn(disks: readonly string[] = this.disks): void {
        this.disks = disks;
        const asks = this.takeInitramfs();
        const drives = [
            { serial: "ROOT", image: this.rootImage },
            // Disks of one enclosure may have the same serial number; each has its own image.
            ...disks.map((serial, index) => ({
                serial,
                image: this.diskImage(disks.indexOf(serial) === index ? serial : `${serial}-${index}`),
            })),
        ];
        // Dropbear is in every initramfs here. Without a static address, it would query DHCP servers that do not exist.
        const network = asks ? [] : ["ip=off"];
        const [program, args] = this.args.network.command(
            // A system call is a turn of the kernel and of the process that makes it: on one processor, neither waits for the
            // other processor to wake up.
            "taskset",
            ...["--cpu-list", "0"],
            // On a busy host, each of these turns would wait for a slice of the processor: no start ended in ten minutes.
            ...["nice", "--adjustment=-20"],
            // The kernel's processes end with it, and have the host's /proc.
            ...["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"],
            kernel.program,
            ...["mem=2048M", `uml_dir=${this.folder}`, "umid=uml", "con=null", "con0=null,fd:1"],
            ...drives.map(({ serial, image }, index) => `ubd${index}=${image},,${serial}`),
            `eth0=tuntap,t-${this.name},${hardwareAddress(this.address)}`,
            ...[
                `initrd=${join(this.folder, "initrd.img")}`,
                "root=/dev/ubda",
                "rw",
                "loglevel=4",
                "panic=-1",
                ...network,
            ],
        );
        const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
        this.child = child;
        for (const stream of [child.stdout, child.stderr]) {
            stream.on("data", (chunk: Buffer) => appendFileSync(join(this.folder, "console.log"), chunk));
        }
    }

    /**
     * Copies the initramfs that is on the machine's disk now, as its boot loader would.
     *
     * @returns whether it takes passphrases over SSH
     */
    private takeInitramfs(): boolean {
        // After a power cut, some writes may still be only in the journal.
        execFileSync("sh", ["-c", '/sbin/e2fsck -p "$0" || [ $? = 1 ]', this.rootImage], { stdio: "pipe" });
        const debugfs = (command: string) =>
            execFileSync("/sbin/debugfs", ["-R", command, this.rootImage], { stdio: ["ignore", "pipe", "pipe"] });
        // Its folder may contain a backup, and an incomplete one.
        const name = /initrd\.img-[\d.]+(?=\/)/.exec(debugfs("ls -p /boot").toString())?.[0];
        debugfs(`dump /boot/${name} ${join(this.folder, "initrd.img")}`);
        return / hearth /.test(debugfs("ls -l /etc/initramfs-tools/conf.d").toString().replaceAll("\n", " \n"));
    }

    /** Waits until its system has started. */
    async hasStarted(): Promise<void> {
        await this.waitFor("its system has started", async () => {
            const { exitCode } = await this.run("systemctl is-active multi-user.target");
            return exitCode === 0;
        });
    }

    /** Connects a disk with the serial BROKEN until the next start: every read of it is an error. */
    async connectBrokenDisk(): Promise<void> {
        await this.output('dmsetup create BROKEN --table "0 524288 error" && udevadm settle');
    }

    /** Waits until the server at its SSH port has another key than its sshd, and returns that key. */
    async asksForPassphrase(): Promise<string> {
        let key = "";
        await this.waitFor("its initramfs answers", async () => {
            const keyscan = this.args.network.command("ssh-keyscan", "-T", "5", "-t", "ed25519", this.address);
            const { output } = await run(...keyscan);
            key = /ssh-ed25519 \S+/.exec(output)?.[0] ?? "";
            return key !== "" && key !== this.hostKey;
        });
        return key;
    }

    private async waitFor(what: string, condition: () => Promise<boolean>): Promise<void> {
        await until(`${this.name}: ${what} (its console is in ${this.folder})`, startLimit, () => {
            if (this.child?.exitCode !== null) {
                throw new Error(`${this.name} is off; its console: ${this.console.slice(-2_000)}`);
            }
            return condition();
        });
    }

    /** Output on its console. */
    get console(): string {
        return readFileSync(join(this.folder, "console.log"), "utf8");
    }

    /** Runs a command in the machine as root, over SSH. */
    async run(command: string): Promise<Outcome> {
        const knownHosts = join(this.folder, "known-hosts");
        writeFileSync(knownHosts, `${this.address} ${this.hostKey}\n`);
        const options = [
            ...["BatchMode=yes", "ConnectTimeout=10", "IdentitiesOnly=yes", "LogLevel=ERROR"],
            ...["GlobalKnownHostsFile=/dev/null", `UserKnownHostsFile=${knownHosts}`],
        ].flatMap((option) => ["-o", option]);
        const target = `root@${this.address}`;
        return run(...this.args.network.command("ssh", "-i", this.args.key, ...options, target, command));
    }

    /** Output of a command in the machine, which must succeed. */
    async output(command: string): Promise<string> {
        const { exitCode, output } = await this.run(command);
        if (exitCode !== 0) {
            throw new Error(`${command} on ${this.name} exited with ${exitCode}: ${output}`);
        }
        return output;
    }

    /** Reboots it, as its owner would. */
    async reboot(): Promise<void> {
        const ended = this.ended();
        // A reboot would start the same kernel with the previous initramfs.
        await this.run("systemctl poweroff");
        await ended;
        this.switchOn();
    }

    /** Takes the power away. */
    async powerOff(): Promise<void> {
        const ended = this.ended();
        this.child?.kill("SIGKILL");
        await ended;
        this.child = undefined;
    }

    private async ended(): Promise<void> {
        const { child } = this;
        if (child !== undefined && child.exitCode === null && child.signalCode === null) {
            await new Promise((resolve) => child.once("close", resolve));
        }
    }

    /** Switches it off and removes all of its resources. */
    async remove(): Promise<void> {
        await this.powerOff();
        rmSync(this.folder, { recursive: true });
    }
}
