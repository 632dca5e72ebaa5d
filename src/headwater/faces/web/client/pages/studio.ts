import "../shared/menu";
