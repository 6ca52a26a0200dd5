import { serve } from "../shared/serve";
import { RandomProvider } from "./provider";

// Set by the launcher: the version of the npm package that this stands in for.
const version = process.env["HEARTH_PLUGIN_VERSION"] ?? "0.0.0";

serve(() => new RandomProvider(version));
