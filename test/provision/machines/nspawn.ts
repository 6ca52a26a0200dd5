import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
    appendFileSync,
    chmodSync,
    existsSync,
    lstatSync,
    mkdirSync,
    mkdtempSync,
    readFileSync,
    rmSync,
    writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { findOnPath } from "../../../lib/paths";
import { type Outcome, run } from "../../../lib/run";
import { aptGetInstall } from "../../../toolchain/apt-get";
import { until } from "../../sandbox/home";
import type { Network } from "./network";

/** True if the host has control groups of version 1. */
const hasFirstVersion = existsSync("/sys/fs/cgroup/memory");

/** Disk of a machine that runs pods, for images and volumes; the host stores what is written to it. */
const diskSize = "16G";

/** Milliseconds for a machine to start on a busy host. */
const startLimit = 120_000;

/**
 * Kernel settings of the scripts, which all machines share with the host. Each machine has files of its own instead, so
 * that the scripts can set and read them and the host stays unchanged.
 */
const kernelFiles = [
    "/proc/swaps",
    ...[
        ...["vm/panic_on_oom", "vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops"],
        ...["kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"],
        ...["fs/inotify/max_user_instances", "fs/inotify/max_user_watches"],
    ].map((name) => `/proc/sys/${name}`),
];

const kernelUnit = `[Unit]
Description=Kernel settings of this machine's own
DefaultDependencies=no
Before=sysinit.target

[Service]
Type=oneshot
ExecStart=/usr/local/lib/test/kernel-files
`;

const kernelScript = `#!/bin/sh
set -eu
for file in ${kernelFiles.join(" ")}; do
    own=/usr/local/lib/test$file
    mkdir -p "$(dirname "$own")"
    [ -e "$own" ] || head -n 1 "$file" > "$own"
    mount --bind "$own" "$file"
done
if [ -e /usr/local/lib/test/containers ]; then
    mount --bind /proc/sys/net /proc/sys/net
    mount -o remount,bind,rw /proc/sys/net
    # The kubelet reads of processes that were killed for memory there: the host's log is not the machine's.
    ln -sf null /dev/kmsg
fi
controllers=/sys/fs/cgroup/cgroup.controllers
if [ -d /sys/fs/cgroup/memory ]; then
    # The host's own, of version 1, which containers need: preflight wants version 2.
    mount -o remount,rw /sys/fs/cgroup
    for each in /sys/fs/cgroup/*/; do mount -o remount,bind,rw "$each"; done
    echo cpuset cpu io memory pids > $controllers
# A host with control groups of version 1 lends none of them here.
elif ! grep -qw memory $controllers; then
    echo cpuset cpu io memory pids > /usr/local/lib/test/controllers
    mount --bind /usr/local/lib/test/controllers $controllers
fi
`;

/** Arguments of {@link Machine.create}. */
export interface MachineArgs {
    /** Its name in the test; its host name is Debian's. */
    readonly name: string;
    /** IPv4 address in the network. */
    readonly address: string;
    readonly network: Network;
    /** Folder with a Debian root, which is not changed. */
    readonly root: string;
    /** Public key for logins as root and as the user admin. */
    readonly publicKey: string;
    /** Folders and files of the host that are mounted read-only, by their path in the machine. */
    readonly mounts: Readonly<Record<string, string>>;
    /** True if containers can run in it. @default false */
    readonly containers?: boolean;
}

/** A machine with Debian, systemd and sshd, by systemd-nspawn: its own root, processes, users and network. */
export class Machine {
    readonly name: string;
    readonly address: string;
    private child: ChildProcess | undefined;

    private constructor(
        private readonly args: MachineArgs,
        private readonly folder: string,
    ) {
        this.name = args.name;
        this.address = args.address;
    }

    /** Creates a newly installed machine, and starts it. */
    static async create(args: MachineArgs): Promise<Machine> {
        if (!findOnPath("systemd-nspawn")) {
            await aptGetInstall("systemd-nspawn", "Install the package systemd-container.", ["systemd-container"]);
        }
        const folder = mkdtempSync(join(tmpdir(), `hearth-machine-${args.name}-`));
        const machine = new Machine(args, folder);
        try {
            machine.mountAndInstall();
            await machine.start();
        } catch (error) {
            await machine.remove();
            throw error;
        }
        return machine;
    }

    private get root(): string {
        return join(this.folder, "root");
    }

    /** Public key of its sshd. */
    get hostKey(): string {
        return this.read("/etc/ssh/ssh_host_ed25519_key.pub").split(" ").slice(0, 2).join(" ");
    }

    /** The text of a file of the machine. */
    read(path: string): string {
        return readFileSync(join(this.root, path), "utf8");
    }

    /** Reports whether the machine has a file, a folder or a link, whose target would be one of this host. */
    has(path: string): boolean {
        return lstatSync(join(this.root, path), { throwIfNoEntry: false }) !== undefined;
    }

    /** Writes a file of the machine. */
    write(path: string, text: string, mode = 0o644): void {
        const file = join(this.root, path);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, text);
        chmodSync(file, mode);
    }

    private mountAndInstall(): void {
        const { root, folder } = this;
        for (const each of ["upper", "work", "root"]) {
            rmSync(join(folder, each), { recursive: true, force: true });
            mkdirSync(join(folder, each));
        }
        const overlay = `lowerdir=${this.args.root},upperdir=${join(folder, "upper")},workdir=${join(folder, "work")}`;
        execFileSync("mount", ["-t", "overlay", "overlay", "-o", overlay, root]);
        if (this.args.containers) {
            // Layers of images cannot be on an overlay, and a full disk would fill the host's.
            const [disk, state] = [join(folder, "disk"), join(root, "var/lib")];
            rmSync(disk, { force: true });
            execFileSync("truncate", [`--size=${diskSize}`, disk]);
            execFileSync("mkfs.ext4", ["-q", disk]);
            execFileSync("mount", ["-o", "loop", disk, state]);
            execFileSync("cp", ["--archive", `${join(this.args.root, "var/lib")}/.`, state]);
            this.write("/usr/local/lib/test/containers", "");
            // k3s starts its own.
            execFileSync("chroot", [root, "systemctl", "--quiet", "disable", "containerd.service"]);
        }
        this.write("/etc/machine-id", `${randomBytes(16).toString("hex")}\n`);
        this.write("/etc/hostname", "debian\n");
        this.write("/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 debian\n");
        // No name server exists in this network: lookups fail at once instead of waiting for the host's.
        this.write("/etc/resolv.conf", "nameserver 127.0.0.1\n");
        for (const type of ["rsa", "ecdsa", "ed25519"]) {
            rmSync(join(root, `etc/ssh/ssh_host_${type}_key`), { force: true });
            rmSync(join(root, `etc/ssh/ssh_host_${type}_key.pub`), { force: true });
        }
        execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(root, "etc/ssh/ssh_host_ed25519_key")]);
        execFileSync("chroot", [root, "useradd", "--create-home", "--shell", "/bin/bash", "admin"]);
        this.write("/etc/sudoers.d/admin", "admin ALL=(ALL) NOPASSWD: ALL\n", 0o440);
        this.write("/root/.ssh/authorized_keys", this.args.publicKey, 0o600);
        this.write("/home/admin/.ssh/authorized_keys", this.args.publicKey, 0o600);
        execFileSync("chroot", [root, "chown", "-R", "admin:admin", "/home/admin"]);
        this.write("/usr/local/lib/test/kernel-files", kernelScript, 0o755);
        this.write("/etc/systemd/system/test-kernel-files.service", kernelUnit);
        execFileSync("chroot", [root, "systemctl", "--quiet", "enable", "ssh.service"]);
        execFileSync("chroot", [
            root,
            "systemctl",
            "--quiet",
            "add-wants",
            "sysinit.target",
            "test-kernel-files.service",
        ]);
    }

    /** Switches the machine on, and waits until its sshd answers. */
    async start(): Promise<void> {
        const log = join(this.folder, "console.log");
        // A machine starts without its previous addresses and firewall.
        const namespace = this.args.network.attach(this.name, this.address);
        const binds = Object.entries(this.args.mounts).map(([inside, outside]) => `--bind-ro=${outside}:${inside}`);
        // `ip netns exec` would mount a /sys without control groups.
        const [program = "", ...enter] = [...this.controlGroups(), "nsenter", `--net=${namespace}`];
        const child = spawn(
            program,
            [
                ...enter,
                "systemd-nspawn",
                ...["--quiet", "--boot", "--register=no", "--keep-unit", "--capability=all", "--console=pipe"],
                ...["--resolv-conf=off", "--timezone=off", "--link-journal=no"],
                ...[`--machine=${this.name}`, `--directory=${this.root}`, ...binds],
            ],
            {
                env: {
                    ...process.env,
                    // runc gives each container a session keyring, which systemd-nspawn's filter of system calls refuses.
                    ...(this.args.containers ? { SYSTEMD_SECCOMP: "0" } : { SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1" }),
                },
            },
        );
        this.child = child;
        for (const stream of [child.stdout, child.stderr]) {
            stream.on("data", (chunk: Buffer) => appendFileSync(log, chunk));
        }
        await until(`${this.name} has started (see ${log})`, startLimit, async () => {
            if (child.exitCode !== null) {
                throw new Error(`${this.name} ended: ${readFileSync(log, "utf8").slice(-2_000)}`);
            }
            const { exitCode } = await this.run(
                "systemctl is-active multi-user.target ssh.service && [ ! -e /run/nologin ]",
            );
            return exitCode === 0;
        });
    }

    /** Name of the control groups that the machine has in each hierarchy of version 1. */
    private get controlGroup(): string {
        return `${this.args.network.namespace}-${this.name}`;
    }

    /** Command line that starts another one in cgroups in which containers can create their own. */
    private controlGroups(): string[] {
        // Of version 2, systemd-nspawn makes them.
        if (!this.args.containers || !hasFirstVersion) {
            return [];
        }
        const script = `
            for folder in /sys/fs/cgroup/*/; do
                own=$folder$0
                mkdir -p "$own"
                if [ -e "$own/cpuset.mems" ]; then
                    for each in cpuset.cpus cpuset.mems; do cat "$folder/$each" > "$own/$each"; done
                    echo 1 > "$own/cgroup.clone_children"
                fi
                echo $$ > "$own/cgroup.procs"
            done
            exec "$@"`;
        return ["sh", "-ec", script, this.controlGroup];
    }

    /** Runs a command in the machine as root, without SSH. */
    async run(command: string): Promise<Outcome> {
        const leader = this.leader();
        return leader === undefined
            ? { exitCode: -1, output: `${this.name} is off` }
            : run("nsenter", [`--target=${leader}`, "--all", "bash", "-c", command]);
    }

    /**
     * State that a script could change: the mode and the sum of every file, and the firewall. Without files that the
     * programs themselves keep writing, and, on request, without the sums of files that differ on each machine: keys,
     * tokens.
     */
    async fingerprint({ withSecrets = true } = {}): Promise<string> {
        const files =
            "find etc opt usr/local var/lib/rancher root home -xdev \\( -type f -o -type l \\) ! -name .sudo_as_admin_successful " +
            "! -path 'root/.kube/cache/*' ! -path 'var/lib/rancher/k3s/server/db/etcd/*' ! -path 'var/lib/rancher/k3s/server/logs/*' 2>/dev/null";
        const publicOnly = withSecrets
            ? ""
            : "! -path 'etc/ssh/ssh_host_*' ! -name authorized_keys ! -name machine-id ! -path '*/rancher/*'";
        const { exitCode, output } = await this.run(
            `cd / && ${files} -printf '%m %p %l\\n' | sort && ` +
                `${files} ${publicOnly} -type f -exec sha256sum {} + | sort -k 2 && nft list ruleset`,
        );
        if (exitCode !== 0) {
            throw new Error(output);
        }
        return output;
    }

    /** Resets it to its installed state, and starts it. */
    async reinstall(): Promise<void> {
        await this.powerOff();
        execFileSync("umount", ["--recursive", this.root]);
        this.mountAndInstall();
        await this.start();
    }

    /** Cuts the power: no program in the machine can shut down gracefully. */
    async powerOff(): Promise<void> {
        const { child } = this;
        const leader = this.leader();
        if (child === undefined || leader === undefined) {
            return;
        }
        const ended = new Promise((resolve) => child.once("close", resolve));
        process.kill(leader, "SIGKILL");
        await ended;
        this.args.network.detach(this.name);
        this.child = undefined;
    }

    /** Switches the machine off and removes all of its resources. */
    async remove(): Promise<void> {
        await this.powerOff();
        // An interrupted command removes its machines, too: `run` would refuse.
        if (this.args.containers && hasFirstVersion) {
            spawnSync("find", ["/sys/fs/cgroup", "-path", `*/${this.controlGroup}*`, "-type", "d", "-delete"]);
        }
        // An interruption may have come before it was mounted.
        if (spawnSync("mountpoint", ["--quiet", this.root]).status === 0) {
            execFileSync("umount", ["--recursive", this.root]);
        }
        rmSync(this.folder, { recursive: true });
    }

    /** Process id of the machine's init, on the host. */
    private leader(): number | undefined {
        const pid = this.child?.pid;
        const children = (parent: number) => {
            try {
                return readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8")
                    .trim()
                    .split(" ")
                    .filter(Boolean);
            } catch {
                return [];
            }
        };
        const init = pid === undefined ? undefined : children(pid).find((each) => isInit(each));
        return init === undefined ? undefined : Number(init);
    }
}

/** Reports whether a process is the init of its own PID namespace. */
function isInit(pid: string): boolean {
    try {
        return /^NSpid:\s+\d+\s+1$/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
    } catch {
        return false;
    }
}
