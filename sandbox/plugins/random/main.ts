import { version } from "@pulumi/random/package.json";
import { serve } from "../engine";
import { RandomProvider } from "./provider";

serve(() => new RandomProvider(version));
