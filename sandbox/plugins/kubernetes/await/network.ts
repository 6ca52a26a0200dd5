import type { Properties, Value } from "../../shared/values";
import { apiVersionOf, at, listAt, nameOf, stringAt } from "../objects";
import type { Snapshot, Verdict } from "./related";

/** A Service is ready when its Pods have settled and, for a load balancer, an address has been given. */
export function serviceVerdict({ object, related, settled }: Snapshot): Verdict {
    const type = stringAt(object, "spec", "type") || "ClusterIP";
    const selector = at(object, "spec", "selector");
    const isHeadless = stringAt(object, "spec", "clusterIP") === "None";
    const isBalanced = type === "LoadBalancer";
    const hasAddress = !isBalanced || listAt(object, "status", "loadBalancer", "ingress").length > 0;
    const subsets = related("endpoints")
        .filter((each) => nameOf(each) === nameOf(object))
        .flatMap((each) => listAt(each, "subsets"));
    const hasPods = subsets.some((subset) => listAt(subset, "addresses").length > 0);
    const isPending = subsets.some((subset) => listAt(subset, "notReadyAddresses").length > 0);
    const targetsPods =
        type !== "ExternalName" &&
        !isHeadless &&
        typeof selector === "object" &&
        selector !== null &&
        Object.keys(selector).length > 0;
    const ready = hasAddress && (!targetsPods || (settled && !isPending));
    const reasons: string[] = [];
    if (!isHeadless && type !== "ExternalName") {
        if (!hasPods) {
            reasons.push(
                "Service does not target any Pods. Selected Pods may not be ready, or field '.spec.selector' may not " +
                    "match labels on any Pods",
            );
        }
        if (!hasAddress) {
            reasons.push("Service was not allocated an IP address; does your cloud provider support this?");
        }
    }
    const step = ready
        ? "✅ Service initialization complete"
        : settled && hasPods
          ? "[2/3] Attempting to allocate IP address to Service"
          : "[1/3] Finding Pods to direct traffic to";
    return { ready, reasons, messages: [["info", step]] };
}

interface Backend {
    readonly service: string;
    readonly shown: string;
}

function backends(ingress: Properties): readonly Backend[] {
    const isCurrent = apiVersionOf(ingress) === "networking.k8s.io/v1";
    return listAt(ingress, "spec", "rules").flatMap((rule: Value) =>
        listAt(rule, "http", "paths").flatMap((path) => {
            const service = isCurrent
                ? stringAt(path, "backend", "service", "name")
                : stringAt(path, "backend", "serviceName");
            const address = `${stringAt(rule, "host")}${stringAt(path, "path")}`;
            const shown = `${address === "" ? '"" (default path)' : JSON.stringify(address)} -> ${JSON.stringify(service)}`;
            return service === "" ? [] : [{ service, shown }];
        }),
    );
}

/** An Ingress is ready when its Services exist (after a while: or not) and it has an address. */
export function ingressVerdict({ object, related, settled }: Snapshot): Verdict {
    const external = related("services")
        .filter((service) => stringAt(service, "spec", "type") === "ExternalName")
        .map(nameOf);
    const known = new Set([...external, ...related("endpoints").map(nameOf)]);
    const missing = backends(object).filter(({ service }) => !known.has(service));
    const targetsReady = missing.length === 0 || settled;
    const hasAddress = listAt(object, "status", "loadBalancer", "ingress").length > 0;
    const ready = targetsReady && hasAddress;
    const reasons = [
        ...(targetsReady ? [] : ["Ingress has at least one rule with an unavailable target endpoint."]),
        ...(hasAddress
            ? []
            : [
                  "Ingress .status.loadBalancer field was not updated with a hostname/IP address. " +
                      "\n    for more information about this error, see https://pulumi.io/xdv72s",
              ]),
    ];
    const warnings = settled
        ? missing.map(({ shown }) => ["warning", `No matching service found for ingress rule: ${shown}`] as const)
        : [];
    const step = ready
        ? "✅ Ingress initialization complete"
        : targetsReady
          ? "[2/3] Waiting for update of .status.loadBalancer with hostname/IP"
          : "[1/3] Finding a matching service for each Ingress path";
    return { ready, reasons, messages: [...warnings, ["info", step]] };
}
