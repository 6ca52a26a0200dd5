import type { V1LabelSelector, V1ObjectMeta } from "./kubernetes-types";

/** An IPAddressPool, as far as addresses are handed out by it. https://metallb.io/apis/ */
export interface AddressPool {
    readonly metadata?: V1ObjectMeta;
    readonly spec: {
        /** Each `first-last` or a CIDR. */
        readonly addresses?: readonly string[];
        /** Whether Services that do not ask for the pool get its addresses; true when absent. */
        readonly autoAssign?: boolean;
        /** Whether addresses that end in .0 and .255 are left out. */
        readonly avoidBuggyIPs?: boolean;
        readonly serviceAllocation?: {
            /** The lowest goes first; 0 and absent go last. */
            readonly priority?: number;
            readonly namespaces?: readonly string[];
            readonly namespaceSelectors?: readonly V1LabelSelector[];
            readonly serviceSelectors?: readonly V1LabelSelector[];
        };
    };
}

/** An L2Advertisement or a BGPAdvertisement. Without pools and selectors, it announces every pool. */
export interface Advertisement {
    readonly metadata?: V1ObjectMeta;
    readonly spec?: {
        readonly ipAddressPools?: readonly string[];
        readonly ipAddressPoolSelectors?: readonly V1LabelSelector[];
    };
}
