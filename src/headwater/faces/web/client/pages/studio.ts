/** Studio: the table is the server's; the island makes it quick. */
import "../shared/menu";
import "../studio/element";
