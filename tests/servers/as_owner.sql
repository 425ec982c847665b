SET ROLE :"owner";
