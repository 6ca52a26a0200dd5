import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { Failure } from "../lib/failure";
import { patched } from "../lib/merge-patch";
import { base64 } from "./base64";
import { chartSource, releases } from "./releases";
import { digestOf, type WrittenSecret } from "./secrets";
import { readYamlFile } from "./yaml-file";

/** Arguments of {@link ArgoCD}. */
export interface ArgoCDArgs {
    /** Namespace of the release, which exists already; Applications live in it. */
    readonly namespace: string;
    /** Paths of the value files that the gitops Application uses too; later ones override earlier ones. */
    readonly valueFiles: readonly string[];
    /** URL of a Helm repository to use instead of the upstream one. */
    readonly chartRepository?: string;
}

/**
 * Argo CD. The release is the bootstrap only: once the gitops Application has adopted it, an upgrade is a commit, so
 * Pulumi does not change chart version and values. https://argo-cd.readthedocs.io
 */
export class ArgoCD extends pulumi.ComponentResource {
    /** The Secret with the password of its Redis: every pod with an old one has to restart. */
    readonly redis: WrittenSecret;

    /** Password of the account `owner`, a secret. */
    readonly ownerPassword: pulumi.Output<string>;

    constructor(name: string, args: ArgoCDArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:ArgoCD", name, args, opts);

        // The chart would create it by a Job, as a hook, which every sync of the Application gitops would rerun.
        const { result: password } = new random.RandomPassword(
            `${name}-redis`,
            { length: 32, special: false },
            { parent: this, additionalSecretOutputs: ["result"] },
        );
        const redis = new kubernetes.core.v1.Secret(
            `${name}-redis`,
            {
                metadata: { name: "argocd-redis", namespace: args.namespace },
                data: { auth: pulumi.secret(password.apply(base64)) },
            },
            { parent: this },
        );
        this.redis = {
            chart: "argo-cd",
            namespace: args.namespace,
            name: "argocd-redis",
            from: [],
            digest: digestOf(redis),
        };
        const release = new kubernetes.helm.v3.Release(
            name,
            {
                ...chartSource(releases.argocd, args.chartRepository),
                name: "argocd",
                namespace: args.namespace,
                values: Object(args.valueFiles.map(readValues).reduce<unknown>(patched, {})),
            },
            { parent: this, dependsOn: redis, ignoreChanges: ["version", "values"] },
        );
        const owner = new random.RandomPassword(
            `${name}-owner`,
            { length: 32, special: false },
            { parent: this, additionalSecretOutputs: ["result", "bcryptHash"] },
        );
        // Argo CD stores its own keys in this Secret; the chart owns the non-secret ones.
        new kubernetes.core.v1.SecretPatch(
            `${name}-accounts`,
            {
                metadata: { name: "argocd-secret", namespace: args.namespace },
                data: {
                    "accounts.owner.password": pulumi.secret(owner.bcryptHash.apply(base64)),
                },
            },
            { parent: this, dependsOn: release },
        );
        this.ownerPassword = pulumi.secret(owner.result);
        this.registerOutputs({});
    }
}

/** @throws Failure when the file cannot be read as Helm would read it */
function readValues(path: string): Record<string, unknown> {
    const { document, mistake } = readYamlFile(path);
    if (mistake !== undefined) {
        throw new Failure(`${path}: ${mistake}`);
    }
    return Object(document);
}
