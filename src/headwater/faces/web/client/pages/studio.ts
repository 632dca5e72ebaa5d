/** Studio: the table is the server's; the island makes it quick. */
import "../shared/menu";
import { adoptToasts } from "../shared/toast";
import { UNDO_MS } from "../studio/element";

adoptToasts(UNDO_MS);
