import { spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readStackFile, stackFileName } from "../../config/stack-file";
import { editableYaml } from "../../config/yaml";
import { freePorts } from "../../lib/ports";
import { type Outcome, run } from "../../lib/run";
import { temporaryFolder } from "../../lib/temporary-folder";
import { captureGit } from "../git";
import { checkOut } from "../preview/program";

/** Default for the longest wait for a tier, if the sandbox does not set hearth:tierTimeout: pods are simulated. */
const tierTimeout = "5m";

/** Passphrases of the home: the sandbox has its own, and nothing in it may read these. */
const passphrases = ["PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"];

/** The sandbox of a clone in a separate folder, isolated from other sandboxes. */
export class RehearsalSandbox {
    readonly kubeconfig: string;

    private constructor(
        readonly root: string,
        private readonly folder: string,
        private readonly ports: Readonly<Record<"git" | "charts", number>>,
    ) {
        this.kubeconfig = join(root, ".sandbox/kubeconfig");
    }

    /**
     * Clones a repository at a commit, calls `use`, and ends and removes everything, also after Ctrl-C.
     *
     * @param repository root of the checkout, whose packages the clone shares
     */
    static async with<T>(
        repository: string,
        commit: string,
        use: (sandbox: RehearsalSandbox) => Promise<T>,
    ): Promise<T> {
        const folder = temporaryFolder();
        const sandbox = new RehearsalSandbox(join(folder, "home"), folder, await freePorts("git", "charts"));
        try {
            await checkOut(repository, commit, sandbox.root);
            sandbox.adaptSettings();
            return await use(sandbox);
        } finally {
            await sandbox.stop();
            rmSync(folder, { recursive: true, force: true });
        }
    }

    /** Checks out a commit in the clone. */
    async take(commit: string): Promise<void> {
        const failure = `${commit} cannot be read`;
        await captureGit(["-C", this.root, "checkout", "--quiet", "--force", "--detach", commit], { failure });
        this.adaptSettings();
    }

    /** `npm start` of the clone: its own code, and its own Pulumi program. */
    async start(): Promise<Outcome> {
        return run(process.execPath, ["toolchain/compile.cjs", "start"], { cwd: this.root, env: this.environment });
    }

    /** `npm stop -- --delete` of the clone; an interruption, which has ended everything else, does not end it. */
    private async stop(): Promise<void> {
        const args = ["toolchain/compile.cjs", "stop", "--delete"];
        const child = spawn(process.execPath, args, {
            cwd: this.root,
            env: this.environment,
            detached: true,
            stdio: "ignore",
        });
        await new Promise((resolve) => child.once("close", resolve).once("error", resolve));
    }

    private get environment(): NodeJS.ProcessEnv {
        const own = Object.entries(process.env).filter(([name]) => !passphrases.includes(name));
        // Stopped programs leave temporary files.
        return { ...Object.fromEntries(own), TMPDIR: this.folder };
    }

    /** Gives the sandbox its own ports, and a limit for the tiers. */
    private adaptSettings(): void {
        const file = join(this.root, stackFileName("sandbox"));
        const { text, config } = readStackFile(file);
        const document = editableYaml(text);
        document.setIn(["config", "hearth:repository", "url"], `http://127.0.0.1:${this.ports.git}/hearth/hearth.git`);
        document.setIn(["config", "hearth:charts", "repository"], `http://127.0.0.1:${this.ports.charts}`);
        if (!("hearth:tierTimeout" in config)) {
            document.setIn(["config", "hearth:tierTimeout"], tierTimeout);
        }
        writeFileSync(file, document.toString());
    }
}
