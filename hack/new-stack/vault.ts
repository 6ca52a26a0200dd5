import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { configPath } from "../../config/secrets";
import { temporaryFolder } from "../../lib/temporary-folder";
import { tool } from "../../toolchain/tools";
import { capture } from "../capture";

/** The part of Pulumi that stores a stack's secrets. No value is ever in its arguments. */
export class Vault {
    private readonly env: NodeJS.ProcessEnv;

    /** @param passphrase undefined where Pulumi finds one in its own environment, or needs none */
    constructor(
        private readonly stack: string,
        passphrase: string | undefined,
    ) {
        this.env = {
            ...process.env,
            PULUMI_SKIP_UPDATE_CHECK: "true",
            ...(passphrase !== undefined && { PULUMI_CONFIG_PASSPHRASE: passphrase }),
        };
    }

    /**
     * Reports whether the stack's file can be written to with this passphrase.
     *
     * @throws Failure with Pulumi's message when it fails for another reason
     */
    async opens(file: string): Promise<boolean> {
        const directory = temporaryFolder();
        try {
            // Pulumi checks the passphrase when it encrypts: here, a value that nothing reads.
            const copy = join(directory, file);
            copyFileSync(file, copy);
            await this.pulumi(["config", "set", "--secret", "--config-file", copy, "passphrase"], "-");
            return true;
        } catch (error) {
            if (error instanceof Error && /incorrect passphrase/.test(error.message)) {
                return false;
            }
            throw error;
        } finally {
            rmSync(directory, { recursive: true, force: true });
        }
    }

    /** Creates the stack if it does not exist, and selects it. */
    async createStack(): Promise<void> {
        await this.pulumi(["stack", "select", "--create", "--secrets-provider", "passphrase"], "");
    }

    /** Encrypts a value into the stack's file, at a path below `hearth:`. */
    async set(path: readonly string[], value: string): Promise<void> {
        const nested = path.length > 1 ? ["--path"] : [];
        await this.pulumi(["config", "set", "--secret", "--raw", ...nested, configPath(path)], value);
    }

    private async pulumi(args: readonly string[], input: string): Promise<void> {
        const failure = `pulumi ${args.slice(0, 2).join(" ")} failed`;
        const all = [...args, "--stack", this.stack, "--non-interactive"];
        await capture(tool("pulumi"), all, { env: this.env, input, failure });
    }
}
