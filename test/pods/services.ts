import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MachineHome } from "../provision/home";
import { until } from "../sandbox/home";
import { domain, running } from "./applications";
import { prepareCheckout } from "./checkout";
import { kubectlOf } from "./pods";
import { type Surroundings, serve } from "./surroundings";
import { Visitor } from "./visitor";

/** Fields of a pod that the tests read. */
export interface Pod {
    readonly metadata: {
        readonly name: string;
        readonly namespace: string;
        readonly labels: Readonly<Record<string, string>>;
    };
    readonly spec: {
        readonly nodeName: string;
        readonly hostNetwork?: boolean;
        readonly containers: readonly {
            readonly ports?: readonly { readonly containerPort: number; readonly protocol: string }[];
        }[];
    };
    readonly status: {
        readonly phase: string;
        readonly podIP: string;
        readonly conditions: readonly { readonly type: string; readonly status: string }[];
    };
}

/** A home of real pods with services: one server, two agents, and a computer of a user. */
export class ServicesHome {
    private visitor: Visitor | undefined;

    private constructor(
        readonly cluster: MachineHome,
        readonly surroundings: Surroundings,
    ) {}

    /** Creates the hosts and the checkout; `pulumi up` creates the home. */
    static async create(): Promise<ServicesHome> {
        const cluster = await MachineHome.withServices("s1", "a1", "a2");
        let surroundings: Surroundings | undefined;
        try {
            surroundings = await serve(cluster.network, running);
            await prepareCheckout(cluster);
            return new ServicesHome(cluster, surroundings);
        } catch (error) {
            surroundings?.close();
            await cluster.remove();
            throw error;
        }
    }

    async kubectl(...args: string[]): Promise<string> {
        return kubectlOf(this.cluster)(...args);
    }

    /** An object or a list of the API. */
    async json<T>(...args: string[]): Promise<T> {
        return JSON.parse(await this.kubectl("get", ...args, "--output=json"));
    }

    async pods(): Promise<Pod[]> {
        return (await this.json<{ items: Pod[] }>("pods", "--all-namespaces")).items;
    }

    /** A value of a Secret. */
    async secret(namespace: string, name: string, key: string): Promise<string> {
        const { data } = await this.json<{ data: Record<string, string> }>("secret", name, `--namespace=${namespace}`);
        return Buffer.from(data[key] ?? "", "base64").toString();
    }

    /** Waits until `hack/status` reports no problem. */
    async isReady(): Promise<void> {
        await until(
            "the home is ready",
            300_000,
            async () => (await this.cluster.stack.hack("status")).exitCode === 0,
        ).catch(async (error: Error) => {
            throw new Error(`${error.message}\n${(await this.cluster.stack.hack("status")).output}`);
        });
    }

    /** A user at home, once the home has a DNS server and a certificate authority. */
    async person(): Promise<Visitor> {
        this.visitor ??= await Visitor.arrive(
            this.cluster.network,
            (await this.cluster.stack.output("dns")).trim(),
            await this.secret("glance", "glance-tls", "ca.crt"),
        );
        return this.visitor;
    }

    /** A user at home who is Gitea's administrator. */
    async administrator(): Promise<Visitor> {
        const person = await this.person();
        person.logIn(`git.${domain}`, "hearth", await this.secret("gitops", "gitops-secrets", "gitea-admin-password"));
        return person;
    }

    /**
     * Changes a file of the home's repository by a push from a clone.
     *
     * @param url where the clone is from
     */
    async push(
        file: string,
        change: (text: string) => string,
        message: string,
        url = `https://git.${domain}/home/hearth.git`,
    ): Promise<void> {
        const person = await this.administrator();
        const clone = await person.clone(url);
        const text = readFileSync(join(clone, file), "utf8");
        if (change(text) === text) {
            throw new Error(`${message}: nothing is changed in ${file}`);
        }
        writeFileSync(join(clone, file), change(text));
        await person.git(clone, "commit", "--quiet", "--all", `--message=${message}`);
        await person.git(clone, "push", "--quiet");
    }

    /** The start page with its services. */
    async startPage(): Promise<string> {
        return (await this.person()).page(`https://home.${domain}/api/pages/home/content/`);
    }

    async remove(): Promise<void> {
        this.visitor?.leave();
        this.surroundings.close();
        await this.cluster.remove();
    }
}
