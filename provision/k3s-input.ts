import * as pulumi from "@pulumi/pulumi";
import type { K3sSettings, NodeSettings, RegistrySettings } from "../config/nodes";
import { auditPolicyText, type K3sMembership, k3sConfig, podSecurityText, registrationConfig } from "./k3s-config";
import { registriesText, registryAuthorities } from "./registries";
import type { ScriptInput } from "./remote-script";

/** Files and images of k3s for the script k3s.sh, in the same form for a node of the home and for the edge. */
export function k3sInput(
    node: NodeSettings,
    membership: pulumi.Output<K3sMembership>,
    registries: pulumi.Output<RegistrySettings>,
    { images, source }: K3sSettings,
): ScriptInput {
    return {
        config: membership.apply((known) => k3sConfig(node, known)),
        registration: membership.apply((known) => registrationConfig(node, known)),
        registries: pulumi.secret(registries.apply(registriesText)),
        registry_authorities: registries.apply(registryAuthorities),
        images: images.map((each) => `${each.architecture ?? "any"} ${each.sha256} ${each.file}`).join("\n"),
        source,
        audit_policy: auditPolicyText,
        pod_security: podSecurityText,
    };
}
